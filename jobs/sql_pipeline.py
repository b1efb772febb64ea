"""Runs a pipeline of `sql/pipelines`, or any `.sql` file, as a job: `python -m jobs.sql_pipeline NAME-OR-PATH`."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import CompiledPlan, ExplainDetail, PlanReference, StreamTableEnvironment

from connectors.settings import Settings
from jobs.environment import stream_environment, submitted, variables
from jobs.flink_errors import FLINK_ERRORS, POSITION, advice, reason, root_cause
from sql import SqlFileError
from sql.tools import lint, plans
from sql.tools.allowed import FIRST_WORDS, why_not_allowed
from sql.tools.lint import Catalog, Table
from sql.tools.pipeline import Pipeline, PipelineFile, find, load
from sql.tools.statements import Statement

PLAN_OPTIONS = {
    # A plan names its tables without their definitions, so that it contains no address or password.
    "table.plan.compile.catalog-objects": "IDENTIFIER",
}
_WITH_OPTIONS = {
    # Options of a table in a hint are lost unless they are in the plan.
    "table.plan.compile.catalog-objects": "ALL",
}
_JUDGING_OPTIONS = {
    # One subtask. With more, a step whose inputs were all idle takes the first watermark of one of them for that of
    # all, and Flink silently drops what the others still bring. Sources may have more, by `scan.parallelism`.
    "table.exec.resource.default-parallelism": "1",
}


@dataclass(frozen=True)
class Planned:
    """A pipeline and Flink's plan of it."""

    pipeline: Pipeline
    plan: Mapping[str, Any]
    """Content of the compiled plan."""
    catalog: Catalog


def define(tables: StreamTableEnvironment, pipeline: Pipeline) -> CompiledPlan:
    """Return the pipeline's plan, made in an environment that has nothing of it yet; executing it is one job.

    Nothing is read or written: a statement that would do so is refused.

    Raises:
        SqlFileError: Flink can't make a job of it; the text says where and why.
    """
    for key, value in (_WITH_OPTIONS if _has_option_hints(pipeline) else PLAN_OPTIONS).items():
        tables.get_config().set(key, value)
    for statement in pipeline.preparations:
        _prepare(tables, statement)
    if pipeline.judges_lateness():
        for key, value in _JUDGING_OPTIONS.items():
            tables.get_config().set(key, value)
    try:
        plan = _planned(tables, pipeline.inserts)
    except FLINK_ERRORS as error:
        _raise_with_place(tables, pipeline)
        raise SqlFileError(f"{pipeline.file}: {reason(error)}{advice(reason(error))}") from error
    if _has_option_hints(pipeline) and (lost := _first_temporary(plan)):
        raise SqlFileError(
            f"{pipeline.file}: OPTIONS hints don't reach the TEMPORARY table {lost}; write CREATE TABLE, or put the "
            "options into its WITH"
        )
    return plan


def planned(environment: StreamExecutionEnvironment, pipeline: Pipeline) -> Planned:
    """Return what Flink would run, without running it.

    Args:
        environment: a new one, in which the pipeline's settings stay.

    Raises:
        SqlFileError: Flink can't make a job of it; the text says where and why.
    """
    tables = StreamTableEnvironment.create(environment)
    plan: Mapping[str, Any] = json.loads(define(tables, pipeline).as_json_string())
    return Planned(pipeline, plan, _catalog(tables, pipeline, plan))


def _prepare(tables: StreamTableEnvironment, statement: Statement) -> None:
    if setting := statement.setting():
        tables.get_config().set(*setting)
        return
    try:
        [operation] = tables._j_tenv.getParser().parse(statement.text)
    except FLINK_ERRORS as error:
        if statement.first_word not in FIRST_WORDS:
            raise SqlFileError(f"{statement.place}: {why_not_allowed('')}") from error
        raise _refused(statement, reason(error)) from error
    if why_not := why_not_allowed(operation.getClass().getSimpleName()):
        raise SqlFileError(f"{statement.place}: {why_not}")
    with explaining_errors(statement):
        # What execute_sql does without parsing again, since a view is parsed with all the views behind it, and without
        # preparing for execution, which the plan does when it is executed.
        tables._j_tenv.executeInternal(operation)


def _planned(tables: StreamTableEnvironment, inserts: Sequence[Statement]) -> CompiledPlan:
    statements = tables.create_statement_set()
    for insert in inserts:
        statements.add_insert_sql(insert.text)
    compiled = json.loads(statements.compile_plan().as_json_string())
    # A node's number is a part of its uid, and Flink continues counting where the last plan of this JVM ended.
    reference = PlanReference.from_json_string(json.dumps(plans.normal(compiled)))
    # Many errors appear only when nodes become operators and these a graph; this checks a copy, since a run loads the
    # plan again.
    tables.load_plan(reference).explain(ExplainDetail.JSON_EXECUTION_PLAN)
    # PyFlink's own wrapper of a loaded plan has Java's environment where it needs Python's.
    return CompiledPlan(tables.load_plan(reference)._j_compiled_plan, tables)


def _raise_with_place(tables: StreamTableEnvironment, pipeline: Pipeline) -> None:
    """Raise the error of the insert that can't be planned, with its place; return if each can be planned alone."""
    for insert in pipeline.inserts:
        try:
            _planned(tables, [insert])
        except FLINK_ERRORS as error:
            words = reason(error)
            raise _refused(_origin(tables, pipeline, insert, words), words) from error


def _origin(tables: StreamTableEnvironment, pipeline: Pipeline, insert: Statement, words: str) -> Statement:
    """Return the statement that causes the error: a SET, or a table or view that can't be used at all; else the
    insert."""
    if POSITION.search(words) or insert.has_option_hints():
        return insert
    key = re.search(r"Could not parse value '.*' for key '([^']+)'", words)
    settings = [each for each in pipeline.preparations if key and (each.setting() or ("",))[0] == key[1]]
    if settings:
        return settings[-1]
    named = re.search(r"Unable to create a (?:sink|source) for (?:writing|reading) table '(\w+)'", words)
    if named:
        return next((each for each in pipeline.preparations if each.creates() == named[1]), insert)
    behind = pipeline.behind(insert)
    return next((each for each in behind if _reading_fails(tables, each.created_path(), words)), insert)


def _reading_fails(tables: StreamTableEnvironment, path: Sequence[str], words: str) -> bool:
    try:
        tables.sql_query(f"SELECT * FROM {_quoted(path)}").explain()
    except FLINK_ERRORS as error:
        return reason(error) == words
    return False


def _catalog(tables: StreamTableEnvironment, pipeline: Pipeline, plan: Mapping[str, Any]) -> Catalog:
    """Return what Flink knows of the tables that are read and written."""
    manager, parser = tables._j_tenv.getCatalogManager(), tables._j_tenv.getParser()

    def identifier(path: Sequence[str]) -> str:
        return str(manager.qualifyIdentifier(parser.parseIdentifier(_quoted(path))).asSerializableString())

    def table(node: plans.Node, name: str) -> Table:
        known = manager.getTable(manager.qualifyIdentifier(parser.parseIdentifier(name))).get().getResolvedTable()
        key = known.getResolvedSchema().getPrimaryKey()
        columns = tuple(map(str, key.get().getColumns())) if key.isPresent() else ()
        place = created[name].place if name in created else f"{pipeline.file}, table {node.table}"
        return Table(place, node.options or dict(known.getOptions()), columns)

    created = {identifier(each.created_path()): each for each in pipeline.preparations if each.is_table()}
    used = {node.identifier: node for node in plans.read(plan).nodes if node.identifier}
    targets = tuple(identifier(each.target_path()) for each in pipeline.inserts)
    return Catalog({name: table(node, name) for name, node in used.items()}, targets)


def _quoted(path: Sequence[str]) -> str:
    return ".".join(f"`{name}`" for name in path)


def _has_option_hints(pipeline: Pipeline) -> bool:
    return any(each.has_option_hints() for each in (*pipeline.preparations, *pipeline.inserts))


def _first_temporary(plan: CompiledPlan) -> str | None:
    """Return a table of which the plan contains only the name."""
    nodes = plans.read(json.loads(plan.as_json_string())).nodes
    return next((node.table for node in nodes if node.identifier and not node.options), None)


def filling(name: str, settings: Settings) -> Mapping[str, str]:
    """Return the values of `${…}` in a pipeline: settings, its consumer group, and other environment variables."""
    return {**os.environ, **variables(name, settings)}


def run(file: PipelineFile, settings: Settings, options: Mapping[str, str]) -> None:
    """Submit the pipeline if `flink run` started this process; otherwise run it here until it ends.

    Args:
        options: Flink options for this run.

    Raises:
        SqlFileError: it can't be run, or it failed; the text says where and why.
    """
    pipeline = load(file, filling(file.name, settings))
    tables = StreamTableEnvironment.create(stream_environment(file.name))
    if submitted():
        _defined_with_warnings(tables, pipeline).execute()
        return
    for key, value in options.items():
        tables.get_config().set(key, value)
    try:
        result = _defined_with_warnings(tables, pipeline).execute()
        print(
            f"{file.name} runs here, in a cluster of its own, with checkpoints as on the cluster; end it with Ctrl-C. "
            "The next run continues after the last checkpoint, without the state: what a window held by then is not in "
            "its rows",
            flush=True,
        )
        result.wait()
    except FLINK_ERRORS as error:
        raise SqlFileError(f"{file.label}: the job failed: {root_cause(error)}") from error


def _defined_with_warnings(tables: StreamTableEnvironment, pipeline: Pipeline) -> CompiledPlan:
    plan = define(tables, pipeline)
    compiled = json.loads(plan.as_json_string())
    for finding in lint.findings(pipeline, plans.read(compiled), _catalog(tables, pipeline, compiled)):
        print(f"warning: {finding}", flush=True)
    return plan


@contextmanager
def explaining_errors(statement: Statement) -> Iterator[None]:
    """Convert Flink's error for a statement into one with its place in the file."""
    try:
        yield
    except FLINK_ERRORS as error:
        raise _refused(statement, reason(error)) from error


def _refused(statement: Statement, words: str) -> SqlFileError:
    place = statement.place
    position = POSITION.search(words)
    if position:
        line = statement.line + int(position[1]) - 1
        place = f"{statement.file}, line {line}, column {position[2]}, in {statement.label}"
        words = POSITION.sub("", words).strip()
    return SqlFileError(f"{place}: {words}{advice(words)}")


def main() -> None:
    """Wire the pipeline to Kafka, and run it.

    Arguments: its name or path, and what its file is called in errors if that isn't where it lies.
    """
    if len(sys.argv) < 2:
        sys.exit("name a pipeline: python -m ops sql run PIPELINE --target cluster")
    name, *label = sys.argv[1:]
    try:
        file = find(name)
        run(replace(file, label=label[0]) if label else file, Settings.from_environment(), {})
    except SqlFileError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
