"""Any record that a broker accepts leaves every job and pipeline running: any value, key, headers and timestamp.

Each that is no event becomes a dead letter. A failure fails the job here, since it isn't restarted. The sinks refuse
what Kafka would refuse, so an output record that is too large for its topic, or has a time that its topic refuses,
would fail the job, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.kafka.outgoing import publish
from connectors.settings import Settings
from events import DeadLetter
from events.schemas import schema
from jobs.environment import SQL_OPTIONS, variables
from jobs.sql_pipeline import define, filling
from sql.tools.pipeline import find, load
from tests.builders.events import (
    category_revenue,
    customer,
    enriched_order,
    event_time,
    fraud_alert,
    heartbeat,
    order,
    order_line,
    payment,
    product,
)
from tests.cluster.jobs.every_job import GUARDED, JOBS, declare_everything, defined, topics_read
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import declaration, kafka_tables, over_files, over_files_in, record

PIPELINES = sql.names("pipelines")
IN_EACH_RUN = {"fraud_detection", "revenue_per_minute"}
EVERY_JOB, EVERY_PIPELINE = (
    [name if name in IN_EACH_RUN else pytest.param(name, marks=pytest.mark.full) for name in names]
    for names in (JOBS, PIPELINES)
)
NEEDS_ELASTICSEARCH = "search_index"
"""The job that sends readable records to a server; here it gets only unreadable ones."""

GOOD = {
    topics.PAYMENTS.name: record(topics.PAYMENTS, payment()),
    topics.ORDERS.name: record(topics.ORDERS, order(customer_id="customer-1")),
    topics.CUSTOMER_CHANGES.name: record(topics.CUSTOMER_CHANGES, customer()),
    topics.PRODUCT_CHANGES.name: record(topics.PRODUCT_CHANGES, product()),
    topics.CAPTURE_HEARTBEATS.name: record(topics.CAPTURE_HEARTBEATS, heartbeat()),
    topics.ENRICHED_ORDERS.name: record(topics.ENRICHED_ORDERS, enriched_order()),
    topics.FRAUD_ALERTS.name: record(topics.FRAUD_ALERTS, fraud_alert()),
    topics.REVENUE.name: record(topics.REVENUE, category_revenue()),
}
"""A record of each topic that is read."""

NOON = event_time("12:00:00")
TIMES = [-(2**63), -1_000, -1, 0, 999, NOON, NOON * 1_000, NOON * 1_000_000, topics.YEAR_9999_MS - 1, 2**63 - 1]
"""Times that programs rarely handle with care, in milliseconds; also in microseconds and nanoseconds."""

LARGE = b"x" * 900_000
EXPANDED = b"x" * 20_000_000
"""The possible content of a compressed batch of a megabyte."""
UNUSUAL = [
    *(Record(b"no event", key=b"k", timestamp=time) for time in TIMES),
    Record(LARGE, key=b"k", timestamp=NOON),
    Record(EXPANDED, key=b"k", timestamp=NOON),
    Record(b"no event", key=LARGE, timestamp=NOON),
    Record(b"no event", headers={f"header-{n}": b"h" * 100 for n in range(8_000)}, timestamp=NOON),
    Record(b"no event", headers={"h" * 60_000: LARGE}, timestamp=NOON),
    Record(b"", key=b"", headers={"": None}, timestamp=NOON),
]
"""Records that no topic's schema accepts, and brokers do."""


def bad_record(topic: str) -> Record:
    """Return a record that is no event of any topic."""
    return Record(
        value=b"no event of \xff" + topic.encode(),
        key=b"key \xfe of " + topic.encode(),
        timestamp=event_time("12:00:01.234"),
        headers={"trace": b"\xfd", "none": None},
    )


def unusual(topic: str, *, with_events: bool) -> list[Record]:
    """Return a bad record, the unusual ones, and the topic's own event at unusual times and under unusual keys."""
    if not with_events:
        return [bad_record(topic), *UNUSUAL]
    good = GOOD[topic]
    return [
        bad_record(topic),
        *UNUSUAL,
        *(replace(good, timestamp=time) for time in TIMES),
        replace(good, key=None),
        Record(None, key=b"k"),
    ]


def any_record(good: Record | None) -> st.SearchStrategy[Record]:
    """Return a strategy of records of up to a megabyte: no event, or `good`, with any key, headers and timestamp."""
    large = st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=9), st.integers(1, 90_000))
    some = st.binary(max_size=200) | large
    names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
    values = some if good is None else some | st.none() | st.just(good.value) | st.just(good.value)
    drawn = st.builds(
        Record,
        value=values,
        key=st.none() | some,
        timestamp=st.sampled_from(TIMES) | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2 * NOON),
        headers=st.dictionaries(names, st.none() | some, max_size=5),
    )
    return drawn.filter(lambda each: size(each) < 1_000_000)


def size(record: Record) -> int:
    """Return the bytes of a record, without Kafka's own."""
    headers = chain.from_iterable((name.encode(), value or b"") for name, value in record.headers.items())
    return sum(map(len, (record.key or b"", record.value or b"", *headers)))


@dataclass(frozen=True)
class Ran:
    """A job or pipeline that has read its topics to their end."""

    name: str
    records: Mapping[str, Sequence[Record]]
    """Records by topic; each topic has one partition."""
    values: Sequence[bytes]
    """Values of the dead letters."""

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters."""
        return [msgspec.json.decode(each, type=DeadLetter) for each in self.values]


def run_job(job: str, cluster: MiniCluster, folder: Path, records: Callable[[str], Sequence[Record]]) -> Ran:
    """Run a job to its end."""
    environment = cluster.environment()
    tables = StreamTableEnvironment.create(environment)
    declare_everything(tables, folder)
    stream = defined(job, tables)
    if stream is not None:
        filled = variables(job, Settings()) | {"OUTGOING_TOPICS": "some;others"}
        declared = declaration("outgoing_events", filled)
        tables.execute_sql(over_files("outgoing_events", declared, folder / "outgoing"))
        publish(tables, stream)
    read = {topic: records(topic) for topic in topics_read(environment)}
    assert read
    assert read.keys() <= set(GUARDED.values()), f"{job} reads a topic through a table that can't report a bad record"
    for table, topic in GUARDED.items():
        if topic in read:
            write_records(folder / table, read[topic])
    environment.execute()
    return Ran(job, read, dead_letters_in(folder))


def run_pipeline(name: str, cluster: MiniCluster, folder: Path, records: Callable[[str], Sequence[Record]]) -> Ran:
    """Run a pipeline to its end."""
    pipeline = load(find(name), filling(name, Settings()))
    read = {topic: records(topic) for topic in kafka_tables(pipeline, written=False)}
    assert read
    for topic, of_topic in read.items():
        write_records(folder / topic, of_topic)
    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, "parallelism.default": "1"}))
    define(tables, over_files_in(pipeline, folder)).execute().wait()
    return Ran(name, read, dead_letters_in(folder))


def dead_letters_in(folder: Path) -> list[bytes]:
    """Return the dead letters of the table of dead letters, and those that replace output too large for its topic."""
    files = chain(*(read_records(folder / name) for name in ("dead_letters_out", topics.DEAD_LETTERS.name)))
    return [each.value or b"" for each in files]


def assert_accounted_for(ran: Ran) -> None:
    """Assert a dead letter, with the value or its beginning, of each record that is no event or has an invalid time."""
    payloads = {letter.event_id: letter.payload for letter in ran.letters()}
    assert payloads.keys() <= {
        f"{topic}-0-{n}" for topic, of_topic in ran.records.items() for n in range(len(of_topic))
    }
    for topic, of_topic in ran.records.items():
        for offset, each in enumerate(of_topic):
            is_event = each.value == GOOD[topic].value and 0 <= each.timestamp < topics.YEAR_9999_MS
            if each.value is not None and not is_event:
                payload = payloads[f"{topic}-0-{offset}"]
                assert payload is not None
                assert each.value.startswith(payload)


def expected(topic: str, rejected_by: str) -> DeadLetter:
    """Return the expected dead letter of the topic's bad record, which is its first."""
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


def assert_bad_records_are_dead_letters(ran: Ran) -> None:
    """Assert that there is one dead letter of each topic's bad record, which is valid by its schema and complete."""
    ids = {f"{topic}-0-0" for topic in ran.records}
    of_bad_records = [each for each in ran.values if msgspec.json.decode(each)["event_id"] in ids]
    validator = jsonschema.Draft7Validator(schema(DeadLetter))
    for value in of_bad_records:
        validator.validate(msgspec.json.decode(value))
    letters = [msgspec.json.decode(value, type=DeadLetter, strict=True) for value in of_bad_records]

    assert {letter.source_topic: letter for letter in letters} == {
        topic: expected(topic, ran.name) for topic in ran.records
    }
    assert len(letters) == len(ids)


@pytest.fixture(scope="module", params=EVERY_JOB)
def job(request: pytest.FixtureRequest, cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A job that has read unusual records; it has failed if one of them stopped it."""
    records = partial(unusual, with_events=request.param != NEEDS_ELASTICSEARCH)
    return run_job(request.param, cluster, tmp_path_factory.mktemp(request.param), records)


@pytest.fixture(scope="module", params=EVERY_PIPELINE)
def pipeline(request: pytest.FixtureRequest, cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A pipeline that has read unusual records; it has failed if one of them stopped it."""
    records = partial(unusual, with_events=True)
    return run_pipeline(request.param, cluster, tmp_path_factory.mktemp(request.param), records)


def test_unusual_record_does_not_stop_a_job(job: Ran) -> None:
    assert_accounted_for(job)


def test_bad_record_of_a_job_is_a_dead_letter_with_the_whole_record(job: Ran) -> None:
    assert_bad_records_are_dead_letters(job)


def test_unusual_record_does_not_stop_a_pipeline(pipeline: Ran) -> None:
    assert_accounted_for(pipeline)


def test_bad_record_of_a_pipeline_is_a_dead_letter_with_the_whole_record(pipeline: Ran) -> None:
    assert_bad_records_are_dead_letters(pipeline)


@pytest.mark.full
@pytest.mark.parametrize("name", [*JOBS, *PIPELINES])
def test_any_record_leaves_every_job_and_pipeline_running(
    name: str, cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with_events = name != NEEDS_ELASTICSEARCH
    strategies = {
        topic: st.lists(any_record(GOOD[topic] if with_events else None), min_size=20, max_size=40)
        for topic in set(GUARDED.values())
    }

    @hypothesis_settings(
        max_examples=3,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.fixed_dictionaries(strategies))
    def passes(records: dict[str, list[Record]]) -> None:
        run = run_job if name in JOBS else run_pipeline
        assert_accounted_for(run(name, cluster, tmp_path_factory.mktemp("any"), records.__getitem__))

    passes()


LINES = tuple(order_line(f"product-{number:07}", number) for number in range(1, 6_001))
TOO_LARGE = order("large", at="12:00:01", lines=LINES, total_minor=1)
NAMED_AT_LENGTH = product("p1", name="a name of a million letters " * 40_000)


@pytest.fixture(scope="module")
def too_large(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[set[bytes | None], Ran]:
    """The enrichment job over an order that is too large, one whose product has a long name, and a small one.

    With the keys of its rows.
    """
    orders = [TOO_LARGE, order("named"), order("small", lines=(order_line("p2"),))]
    records = {
        topics.ORDERS.name: [record(topics.ORDERS, each) for each in orders],
        topics.PRODUCT_CHANGES.name: [
            record(topics.PRODUCT_CHANGES, each) for each in (NAMED_AT_LENGTH, product("p2"))
        ],
    }
    folder = tmp_path_factory.mktemp("too-large")
    ran = run_job("order_enrichment", cluster, folder, lambda topic: records.get(topic, [GOOD[topic]]))
    return {each.key for each in read_records(folder / "enriched_orders_out")}, ran


def test_order_too_large_to_be_enriched_is_a_dead_letter(too_large: tuple[set[bytes | None], Ran]) -> None:
    emitted, ran = too_large
    [letter] = [each for each in ran.letters() if each.source_topic != "enriched-orders"]

    assert (letter.event_id, letter.payload) == ("orders-0-0", msgspec.json.encode(TOO_LARGE))
    assert letter.reason == "lines: with what is known of 6000 products the order may take more than 1000000 bytes"
    assert emitted == {b"small"}


def test_event_larger_than_estimated_is_a_dead_letter(too_large: tuple[set[bytes | None], Ran]) -> None:
    _, ran = too_large
    [letter] = [each for each in ran.letters() if each.source_topic != "orders"]

    assert (letter.source_topic, letter.source_partition, letter.source_key) == ("enriched-orders", -1, b"named")
    assert (letter.rejected_by, letter.reason.partition(":")[0]) == ("test", "not written")
    assert letter.cut is not None
    assert (letter.payload or b"").startswith(b'{"event_id":"named-1"')
