"""A topic's table accepts exactly what its producers may send, for any document."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka.topics import TOPICS, Topic
from events.checks import NotTheEventError, check
from events.schemas import rules_text, schema
from tests.builders.documents import good, one_wrong
from tests.cluster.records import Record, write_records
from tests.cluster.topic_tables import create_table

TABLES = Path(str(sql.__file__)).parent / "tables"
DOCUMENTS = 100


def documents(topic: Topic) -> list[bytes]:
    """Return encoded documents, about half of which are good."""
    allowed = schema(topic.event)
    found: list[bytes] = []

    @settings(max_examples=DOCUMENTS, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.one_of(good(allowed), one_wrong(allowed), one_wrong(allowed)), st.booleans())
    def collect(document: Any, ascii_only: bool) -> None:
        found.append(json.dumps(document, ensure_ascii=ascii_only).encode())

    collect()
    return found


def may_be_sent(value: bytes, topic: Topic) -> bool:
    """Return whether Python's check accepts the value."""
    try:
        check(value, topic.event)
    except NotTheEventError:
        return False
    return True


def declare(tables: StreamTableEnvironment, topic: Topic, folder: Path) -> str:
    """Create the topic's own table, or one without a column for any field; return its name."""
    name = topic.name.replace("-", "_").replace(".", "_")
    if (TABLES / f"{name}.sql").exists():
        create_table(tables, name, folder)
        return name
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE records (error STRING, payload BYTES)
        WITH ('connector' = 'records', 'path' = '{folder}', 'format' = 'guarded-json',
            'guarded-json.schema' = '{rules_text(topic.event).replace("'", "''")}')
    """)
    return "records"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_table_accepts_exactly_what_a_producer_may_send(
    topic: Topic, table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    values = documents(topic)
    expected = {value: may_be_sent(value, topic) for value in values}
    table = declare(table_environment, topic, write_records(tmp_path, map(Record, expected)))

    with table_environment.execute_sql(f"SELECT payload, error FROM {table}").collect() as rows:
        errors = {bytes(payload): error for payload, error in rows}

    assert {value: errors[value] for value in expected if expected[value] == (errors[value] is not None)} == {}
    assert {True, False} == set(expected.values())
