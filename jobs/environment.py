"""Creates a job's Flink environment, in the same way on a cluster and in a plain `python -m jobs.NAME`."""

import atexit
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka.topics import limit_variables, schema_variables
from connectors.settings import Settings
from toolchain import flink_conf, flink_home
from toolchain.flink_home import FlinkHome, end_jvm
from toolchain.scratch import scratch_folder

SQL_OPTIONS = {
    # Gives every SQL operator a uid, by its place in the plan, so that a savepoint's state is assigned to it.
    "table.exec.uid.generation": "ALWAYS",
    "table.local-time-zone": "UTC",
}


def stream_environment(job: str, own_options: Mapping[str, str] | None = None) -> StreamExecutionEnvironment:
    """Create the environment of one job: under `flink run` the cluster's, otherwise a mini-cluster in this process.

    Args:
        own_options: Flink options for this job only.
    """
    options = SQL_OPTIONS | dict(own_options or {})
    if not submitted():
        options = _home().options() | _local_options() | options
    configuration = Configuration()
    for name, value in options.items():
        configuration.set_string(name, value)
    configuration.set_string("pipeline.name", job)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


@cache
def _home() -> FlinkHome:
    """Assemble the Flink folder for this process's JVM, which the first environment starts."""
    home = flink_home.assemble()
    home.use(_scratch())
    logging.getLogger().addFilter(_is_no_interruption)
    os.environ["FLINK_CONF_DIR"] = str(flink_conf.FOLDER)
    return home


def _is_no_interruption(record: logging.LogRecord) -> bool:
    """Leave out what py4j logs, with a traceback, when Ctrl-C ends the wait for a job."""
    return record.exc_info is None or record.exc_info[0] is not KeyboardInterrupt


@cache
def _local_options() -> dict[str, str]:
    """Return the options of a local run: checkpoints as in `flink-conf/`, which a mini-cluster doesn't read, so that
    offsets and transactions are committed; a fault ends the job, so that it is seen."""
    configured = flink_conf.parse(flink_conf.CONFIGURATION.read_text("utf-8"))
    checkpoints = {key: value for key, value in configured.items() if key.startswith("execution.checkpointing.")}
    return {
        **checkpoints,
        "execution.checkpointing.dir": f"file://{_scratch() / 'checkpoints'}",
        "restart-strategy.type": "none",
    }


@cache
def _scratch() -> Path:
    """Create a folder for checkpoints and temporary files of this process's JVM; it is removed when both have ended."""
    at_end = ExitStack()
    folder = at_end.enter_context(scratch_folder())
    at_end.callback(end_jvm)  # registered last and so called first, since a job continues to write
    atexit.register(at_end.close)
    return folder


def submitted() -> bool:
    """Return whether `flink run` has started this process, to send what it defines to a cluster."""
    return "PYFLINK_GATEWAY_PORT" in os.environ


def variables(job: str, settings: Settings) -> dict[str, str]:
    """Return the values of `${…}` in SQL files: settings, schemas and limits of topics, the job's name and its
    group."""
    group = f"{settings.consumer_group_prefix}.{job}"
    return settings.as_variables() | schema_variables() | limit_variables() | {"CONSUMER_GROUP": group, "JOB": job}


def create_tables(tables: StreamTableEnvironment, names: Iterable[str], filled: Mapping[str, str]) -> None:
    """Declare some tables of `sql/tables`, with those whose options they take.

    Args:
        filled: values of `${…}`.
    """
    for statement in sql.declarations(names, filled).values():
        tables.execute_sql(statement)


def insert(tables: StreamTableEnvironment, sink: str, rows: str) -> str:
    """Return an INSERT of all columns of a table, by name, from a view or a query in parentheses that has them."""
    columns = ", ".join(f"`{name}`" for name in tables.from_path(sink).get_schema().get_field_names())
    return f"INSERT INTO {sink} ({columns}) SELECT {columns} FROM {rows}"
