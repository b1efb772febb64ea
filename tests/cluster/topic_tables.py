"""Tables as `sql/tables` declares them, over records in files instead of Kafka."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from events import Event
from jobs.environment import create_tables, variables
from sql.tools.pipeline import Pipeline
from sql.tools.statements import Statement
from tests.cluster.records import Record

_PRODUCER_OPTIONS = ("properties.interceptor.", "properties.millrace.")
"""Options by which Kafka's producer changes records; the connector for files applies them, too."""


def record(topic: Topic, event: Event, partition: int = 0) -> Record:
    """Build the record that a service would publish."""
    return Record(
        value=msgspec.json.encode(event),
        key=str(getattr(event, topic.key)).encode(),
        timestamp=event.event_time,
        partition=partition,
    )


def create_table(tables: StreamTableEnvironment, name: str, folder: Path, stay_open: bool = False) -> None:
    """Create the table from its file, then shadow it by one that differs in its connector alone.

    Args:
        folder: of the records to read or to write.
        stay_open: wait after the last record; after a second without one a partition is idle.
    """
    filled = variables("test", Settings())
    create_tables(tables, [name], filled)
    tables.execute_sql(over_files(name, declaration(name, filled), folder, stay_open))


def declaration(name: str, filled: Mapping[str, str]) -> str:
    """Return the text of a table's file, after that of the table whose options it takes."""
    return "\n".join(sql.declarations([name], filled).values())


def over_files(name: str, declaration: str, folder: Path, stay_open: bool = False, idle_after: str = "1 s") -> str:
    """Return a `CREATE TEMPORARY TABLE` that shadows the table which `declaration` has created for Kafka.

    Args:
        declaration: text of the table's file, after that of the table whose options it takes.
        idle_after: time without a record until a partition of a table that stays open is idle.
    """
    options = {
        key: value
        for key, value in _options(declaration).items()
        if not key.startswith(("connector", "properties.", "scan.", "sink."))
    }
    options |= producer_options(declaration) if "'sink." in declaration else {}
    options |= {"connector": "records", "path": str(folder), "stay-open": str(stay_open).lower()}
    if "WATERMARK FOR" in declaration:
        options |= {"scan.watermark.emit.strategy": "on-event"}
        options |= {"scan.watermark.idle-timeout": idle_after} if stay_open else {}
    given = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE {name} WITH ({given}) LIKE {name} (EXCLUDING OPTIONS)"


def producer_options(declaration: str) -> dict[str, str]:
    """Return the options by which Kafka's producer changes records, for a table that replaces the declared one."""
    return {key: value for key, value in _options(declaration).items() if key.startswith(_PRODUCER_OPTIONS)}


def _options(declaration: str) -> dict[str, str]:
    return dict(re.findall(r"'([\w.-]+)'\s*=\s*'((?:[^']|'')*)'", declaration))


def kafka_tables(pipeline: Pipeline, *, written: bool) -> dict[str, Statement]:
    """Return the Kafka tables that the pipeline reads or writes, by topic."""
    targets = {insert.target() for insert in pipeline.inserts}
    return {
        topic: table
        for table in pipeline.preparations
        if table.is_table() and (topic := table.options().get("topic")) and (table.creates() in targets) == written
    }


def over_files_in(pipeline: Pipeline, folder: Path, stay_open: bool = False, idle_after: str = "1 s") -> Pipeline:
    """Return the same pipeline with folders of files as topics."""
    preparations = list(pipeline.preparations)
    for topic, table in (kafka_tables(pipeline, written=True) | kafka_tables(pipeline, written=False)).items():
        common = [each.text for each in preparations if each.creates() in table.references()]
        text = over_files(str(table.creates()), "\n".join([*common, table.text]), folder / topic, stay_open, idle_after)
        shadow = replace(table, text=text)
        preparations.insert(preparations.index(table) + 1, shadow)
    return replace(pipeline, preparations=tuple(preparations))
