"""Each reader of records and each target of rows has a test of bad ones.

Those of jobs and pipelines are in `test_any_record.py`, which finds them; the others are named here.
"""

import re
from pathlib import Path

import pytest

from connectors.kafka import topics
from local.settings import CHECKOUT
from tests.cluster.jobs.every_job import GUARDED, TABLES

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
