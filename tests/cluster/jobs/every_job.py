"""Every job, on tables over files: found by itself, so that a new one is covered, or an error names what is missing."""

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import StatementSet, StreamTableEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import create_tables, variables
from ops.jobs.submit import submittable_jobs
from tests.builders.events import ruleset
from tests.cluster.topic_tables import create_table
from udfs.fraud.ruleset_sources import FixedRulesets
from udfs.notifications import notification_policy

JOBS = [name for name in submittable_jobs() if name != "sql_pipeline"]
TABLES = {name: sql.template(f"tables/{name}.sql") for name in sql.names("tables")}
GUARDED = {
    name: str(re.search(r"'topic' = '(.*)'", text)[1]) for name, text in TABLES.items() if "guarded-json" in text
}  # type: ignore[index]
"""Tables that are read, and their topics."""

GIVEN: Mapping[str, Callable[[], Any]] = {
    "settings": Settings,
    "rulesets": lambda: FixedRulesets(ruleset()),
    "base_currency": lambda: "EUR",
    "policy": lambda: notification_policy.parse(notification_policy.default_text()),
}
"""Arguments of a job's `define` by parameter name, besides its tables."""


def declare_everything(tables: StreamTableEnvironment, folder: Path) -> None:
    """Create every table: over the files of a folder if it is of a topic, else with one row, or into nowhere."""
    for name, text in TABLES.items():
        if name in GUARDED:
            create_table(tables, name, folder / name)
        elif "'connector' = 'datagen'" in text:
            tables.execute_sql(sql.read(f"tables/{name}.sql", variables("test", Settings())))
            kept = ", ".join(re.findall(r"'(?:connector|scan|fields)[\w.]*' = '\w+'", text))
            bounded = f"{kept}, 'number-of-rows' = '1'"
            tables.execute_sql(f"CREATE TEMPORARY TABLE {name} WITH ({bounded}) LIKE {name} (EXCLUDING OPTIONS)")
        elif "LIKE kafka_sink" in text and "${OUTGOING_TOPICS}" not in text:
            create_table(tables, name, folder / name)
        else:
            create_tables(tables, [name], variables("test", Settings()) | {"OUTGOING_TOPICS": "a;b"})
            if "LIKE warehouse_common" in text:
                nowhere = "'connector' = 'blackhole'"
                tables.execute_sql(f"CREATE TEMPORARY TABLE {name} WITH ({nowhere}) LIKE {name} (EXCLUDING OPTIONS)")


def defined(job: str, tables: StreamTableEnvironment) -> DataStream | None:
    """Define the job on its tables; return the stream that it emits, or None if it writes to tables."""
    function = import_module(f"jobs.{job}").define
    asked = [name for name in inspect.signature(function).parameters if name != "tables"]
    unknown = sorted(set(asked) - GIVEN.keys())
    assert not unknown, f"say in GIVEN what {job}'s define is given for {', '.join(unknown)}"
    topology = function(tables, **{name: GIVEN[name]() for name in asked})
    if isinstance(topology, StatementSet):
        topology.attach_as_datastream()
        return None
    assert isinstance(topology, DataStream)
    return topology


def topics_read(environment: StreamExecutionEnvironment) -> set[str]:
    """Return the topics that the job has as sources."""
    graph = environment._j_stream_execution_environment.getStreamGraph(False)
    sources = [
        name for node in graph.getStreamNodes().toArray() if (name := node.getOperatorName()).startswith("Source: ")
    ]
    topics_of_tables = {found[1] for name in sources if (found := re.match(r"Source: records of (\S+)", name))}
    others = {name: re.match(r"Source: (\w+)", name) for name in sources if "records of" not in name}
    for name, table in others.items():
        assert table and "'connector' = 'datagen'" in TABLES.get(table[1], ""), f"{name} isn't a table of a topic"
    return topics_of_tables
