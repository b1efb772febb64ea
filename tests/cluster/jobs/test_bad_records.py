"""Each record that is no event becomes a dead letter with all its content, in every job and pipeline.

The module finds jobs, pipelines, their topics, targets and consumers by itself. A new one is covered as it is, or a
test names what is missing.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pyflink.common import Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import StatementSet, StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.settings import Settings
from events import DeadLetter
from events.schemas import schema
from jobs.environment import SQL_OPTIONS, create_tables, variables
from jobs.sql_pipeline import define, filling
from local.settings import CHECKOUT
from ops.jobs.submit import names
from sql.tools.pipeline import find, load
from tests.builders.events import event_time, ruleset
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import create_table, kafka_tables, over_files_in
from udfs.fraud.ruleset_sources import FixedRulesets
from udfs.notifications import notification_policy

JOBS = [name for name in names() if name != "sql_pipeline"]
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

TARGETS = {
    "guarded-jdbc": (
        "cluster/warehouse/test_warehouse.py",
        "test_record_that_cannot_be_loaded_is_a_dead_letter_others_are_loaded",
    ),
    "elasticsearch": (
        "cluster/search/test_search_index.py",
        "test_unindexable_value_is_an_exact_dead_letter_and_others_are_indexed",
    ),
}
"""The test of what a target refuses, by the connector of its tables or the client that writes to it."""
CLIENTS = re.compile(r"^(?:from|import) (elasticsearch|psycopg|pymongo|redis|boto3|grpc|smtplib)\b", re.MULTILINE)
"""Imports of clients by which a job may write without a table."""

MAKES_CONSUMER = re.compile(r"KafkaConsumer\(|^ +KafkaConsumer,$", re.MULTILINE)
"""A call, or the argument of `kafka_client`."""
CONSUMERS = {
    "connectors/kafka/rulesets.py": (
        "unit/fraud/test_rules.py",
        "test_invalid_version_leaves_the_history_unchanged",
    ),
    "notifier/__main__.py": (
        "e2e/notifier/test_notifier.py",
        "test_bad_record_is_a_dead_letter_and_stops_no_delivery",
    ),
}
"""The test of bad records of a consumer in Python, by its file. Simulated services don't count.

An invalid ruleset is no dead letter: nothing has to be sent again, the version before stays in force, and
`ops rulesets list` shows the ruleset with its faults.
"""


def bad_record(topic: str) -> Record:
    """A record that is no event of any topic."""
    return Record(
        value=b"no event of \xff" + topic.encode(),
        key=b"key \xfe of " + topic.encode(),
        timestamp=event_time("12:00:01.234"),
        headers={"trace": b"\xfd", "none": None},
    )


def expected(topic: str, rejected_by: str) -> DeadLetter:
    """Return the expected dead letter of the bad record."""
    record = bad_record(topic)
    return DeadLetter(
        event_id=f"{topic}-0-0",
        event_time=record.timestamp,
        source_topic=topic,
        source_partition=0,
        source_offset=0,
        source_key=record.key,
        source_headers=dict(record.headers),
        payload=record.value,
        reason="not UTF-8 (byte 12)",
        rejected_by=rejected_by,
    )


def decoded(values: list[bytes]) -> dict[str, DeadLetter]:
    """Return dead letters by their topic; assert that each is valid by its schema."""
    validator = jsonschema.Draft7Validator(schema(DeadLetter))
    for value in values:
        validator.validate(msgspec.json.decode(value))
    letters = [msgspec.json.decode(value, type=DeadLetter, strict=True) for value in values]
    assert len({letter.event_id for letter in letters}) == len(letters)
    return {letter.source_topic: letter for letter in letters}


def one_bad_record(topic: str) -> list[Record]:
    """Return the only record of the topic."""
    return [bad_record(topic)]


def declare_everything(
    tables: StreamTableEnvironment, folder: Path, records: Callable[[str], list[Record]] = one_bad_record
) -> None:
    """Create every table: with the records of its topic if it is a source, into files or nowhere if it is a sink."""
    for name, text in TABLES.items():
        if name in GUARDED:
            create_table(tables, name, write_records(folder / name, records(GUARDED[name])))
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


def dead_letters_of(environment: StreamExecutionEnvironment, stream: DataStream | None, folder: Path) -> list[bytes]:
    """Run the job to its end, and return the values that it emits to the topic of dead letters.

    Args:
        stream: `OUTGOING` rows, if the job has such a stream.
    """
    if stream is None:
        environment.execute()
        return [each.value or b"" for each in read_records(folder / "dead_letters_out")]
    # As text, since PyFlink can't collect a row with a missing array.
    encoded = stream.map(lambda row: msgspec.json.encode(list(row)).decode(), Types.STRING())
    with encoded.execute_and_collect() as rows:
        outgoing = [msgspec.json.decode(row, type=tuple[str, bytes | None, bytes, int]) for row in rows]
    return [value for topic, _, value, _ in outgoing if topic == topics.DEAD_LETTERS.name]


@pytest.mark.parametrize("job", JOBS)
def test_bad_record_of_a_job_is_a_dead_letter_with_the_whole_record(
    job: str, cluster: MiniCluster, tmp_path: Path
) -> None:
    environment = cluster.environment()
    tables = StreamTableEnvironment.create(environment)
    declare_everything(tables, tmp_path)
    stream = defined(job, tables)
    read = topics_read(environment)
    assert read
    assert read <= set(GUARDED.values()), f"{job} reads a topic through a table that can't say that a record is bad"

    letters = decoded(dead_letters_of(environment, stream, tmp_path))

    assert letters == {topic: expected(topic, job) for topic in read}


@pytest.mark.parametrize("name", sql.names("pipelines"))
def test_bad_record_of_a_pipeline_is_a_dead_letter_with_the_whole_record(
    name: str, cluster: MiniCluster, tmp_path: Path
) -> None:
    pipeline = load(find(name), filling(name, Settings()))
    sources = kafka_tables(pipeline, written=False).keys()
    for topic in sources:
        write_records(tmp_path / topic, [bad_record(topic)])
    assert sources

    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, "parallelism.default": "1"}))
    define(tables, over_files_in(pipeline, tmp_path)).execute().wait()
    letters = decoded([each.value or b"" for each in read_records(tmp_path / topics.DEAD_LETTERS.name)])

    assert letters == {topic: expected(topic, name) for topic in sources}


def test_every_table_that_is_read_has_a_declared_topic() -> None:
    declared = {topic.name for topic in topics.TOPICS}

    assert set(GUARDED.values()) <= declared


def sources() -> list[Path]:
    """Return the Python files that are sent to a cluster."""
    return [file for room in ("udfs", "connectors", "toolchain", "jobs") for file in (CHECKOUT / room).rglob("*.py")]


def test_every_target_has_a_test_of_what_the_target_refuses() -> None:
    connectors = {found for text in TABLES.values() for found in re.findall(r"'connector' = '([\w-]+)'", text)}
    clients = {found for file in sources() for found in CLIENTS.findall(file.read_text("utf-8"))}

    # psycopg is for operators and the simulated shop; jobs write by guarded-jdbc.
    assert (connectors | clients) - {"kafka", "datagen", "psycopg"} == TARGETS.keys()


def test_every_consumer_in_python_has_a_test_of_bad_records() -> None:
    files = [*sources(), *(CHECKOUT / "notifier").rglob("*.py")]
    consuming = {str(file.relative_to(CHECKOUT)) for file in files if MAKES_CONSUMER.search(file.read_text("utf-8"))}

    # By reading.py, commands read to the end of a topic; no service does.
    assert consuming - {"connectors/kafka/reading.py"} == CONSUMERS.keys()


@pytest.mark.parametrize(("file", "test"), [*TARGETS.values(), *CONSUMERS.values()])
def test_test_named_for_a_target_or_consumer_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (CHECKOUT / "tests" / file).read_text("utf-8")
