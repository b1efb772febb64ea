"""A pipeline of `sql/pipelines`, or any user's `.sql` file, as a job: `python -m jobs.sql_pipeline NAME-OR-PATH`."""

import difflib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import CompiledPlan, PlanReference, StreamTableEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import stream_environment, submitted, variables
from sql import SqlFileError, lint, plans
from sql.pipeline import Pipeline, PipelineFile, find, load
from sql.statements import Statement

PLAN_OPTIONS = {
    # A plan names its tables and doesn't repeat what they are made of, so that no address or password is in it.
    "table.plan.compile.catalog-objects": "IDENTIFIER",
}
_NOT_FOR_READERS = re.compile(
    r"SQL validation failed\.\s*|\s*(Was expecting|Table options are:|Supported options:).*", re.DOTALL
)
_POSITION = re.compile(r"(?:From|At|at) line (\d+), column (\d+)(?: to line \d+, column \d+)?(?:: |\.)?")


def define(tables: StreamTableEnvironment, pipeline: Pipeline) -> CompiledPlan:
    """The pipeline's plan in an environment that has nothing of it yet; executing it is one job.

    Raises:
        SqlFileError: Flink can't make a job of it; the text says where and why.
    """
    for key, value in PLAN_OPTIONS.items():
        tables.get_config().set(key, value)
    for statement in pipeline.preparations:
        with _told(pipeline, statement):
            if setting := statement.setting():
                tables.get_config().set(*setting)
            else:
                tables.execute_sql(statement.text)
    inserts = tables.create_statement_set()
    for insert in pipeline.inserts:
        with _told(pipeline, insert):
            inserts.add_insert_sql(insert.text)
    with _told(pipeline):
        compiled = json.loads(inserts.compile_plan().as_json_string())
        # A node's number is a part of its uid, and Flink goes on counting where the last plan of this JVM ended.
        loaded = tables.load_plan(PlanReference.from_json_string(plans.text(plans.normal(compiled))))
    # PyFlink's own wrapper of a loaded plan has Java's environment where it needs Python's.
    return CompiledPlan(loaded._j_compiled_plan, tables)


def planned(environment: StreamExecutionEnvironment, pipeline: Pipeline) -> Mapping[str, Any]:
    """What Flink would run, as its compiled plan says it; nothing is run.

    Args:
        environment: a new one, in which the pipeline's settings stay.

    Raises:
        SqlFileError: Flink can't make a job of it; the text says where and why.
    """
    plan: Mapping[str, Any] = json.loads(define(StreamTableEnvironment.create(environment), pipeline).as_json_string())
    return plan


def filling(name: str, settings: Settings) -> Mapping[str, str]:
    """What fills `${…}` in a pipeline: the settings, its consumer group, and other variables of the environment."""
    return {**os.environ, **variables(name, settings)}


def run(file: PipelineFile, settings: Settings, options: Mapping[str, str]) -> None:
    """Submit it where this process was told to, or run it here until it ends.

    Args:
        options: of Flink, for this run.

    Raises:
        SqlFileError: it can't be run; the text says where and why.
    """
    pipeline = load(file, filling(file.name, settings))
    environment = stream_environment(file.name)
    tables = StreamTableEnvironment.create(environment)
    if submitted():
        _defined_with_warnings(tables, pipeline).execute()
        return
    with tempfile.TemporaryDirectory(prefix="millrace-sql-") as checkpoints:
        for key, value in {"execution.checkpointing.dir": Path(checkpoints).as_uri(), **options}.items():
            tables.get_config().set(key, value)
        result = _defined_with_warnings(tables, pipeline).execute()
        print(f"{file.name} runs here, in a cluster of its own; end it with Ctrl-C", flush=True)
        result.wait()


def _defined_with_warnings(tables: StreamTableEnvironment, pipeline: Pipeline) -> CompiledPlan:
    plan = define(tables, pipeline)
    for finding in lint.findings(pipeline, plans.read(json.loads(plan.as_json_string()))):
        print(f"warning: {finding}", flush=True)
    return plan


@contextmanager
def _told(pipeline: Pipeline, statement: Statement | None = None) -> Iterator[None]:
    """What Flink has against a statement becomes an error with its place in the file."""
    try:
        yield
    except Py4JJavaError as error:
        raise SqlFileError(_in_words(pipeline, statement, list(_messages(error.java_exception)))) from error


def _in_words(pipeline: Pipeline, statement: Statement | None, messages: list[str]) -> str:
    reason = " ".join(dict.fromkeys(messages))
    named = re.search(r"default_catalog\.default_database\.(\w+)", reason)
    if statement is None and named:
        created = (each for each in pipeline.preparations if each.creates() == named[1])
        statement = next(created, None)
    reason = reason.replace("default_catalog.default_database.", "")
    if statement is None:
        return f"{pipeline.file}: {reason}"
    place = statement.place
    position = _POSITION.search(reason)
    if position:
        line = statement.line + int(position[1]) - 1
        place = f"{statement.file}, line {line}, column {position[2]}, in {statement.label}"
        reason = _POSITION.sub("", reason).strip()
    return f"{place}: {reason}{_what_else(reason)}"


def _messages(exception: Any) -> Iterator[str]:
    """From the outermost to the root cause; one that an outer one repeats is left out."""
    said = ""
    while exception is not None:
        message = _NOT_FOR_READERS.sub("", exception.getMessage() or "").strip()
        if message and message not in said and "Exception: " not in message:
            said += message
            yield message
        exception = exception.getCause()


def _what_else(reason: str) -> str:
    missing = re.search(r"Object '(\w+)' not found", reason)
    if not missing:
        return ""
    known = [name for folder in ("tables", "views") for name in sql.names(folder)]
    similar = difflib.get_close_matches(missing[1], known, 1)
    meant = f"; did you mean {similar[0]}?" if similar else ""
    return f"; the pipeline doesn't create it, and neither sql/tables nor sql/views has {missing[1]}.sql{meant}"


def main() -> None:
    """Wire the pipeline to Kafka, and run it.

    Arguments: its name or path, and what its file is called in errors if that isn't where it lies.
    """
    if len(sys.argv) < 2:
        sys.exit("say which pipeline: python -m ops sql run PIPELINE --target cluster")
    name, *label = sys.argv[1:]
    try:
        file = find(name)
        run(replace(file, label=label[0]) if label else file, Settings.from_environment(), {})
    except SqlFileError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
