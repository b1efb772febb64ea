"""Kafka's clients inside a job: the sink limits the size of records, the source keeps all of their headers."""

import time
from functools import reduce
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyflink import java_gateway

from connectors.kafka.dead_letter_size import cut_to_limit
from connectors.kafka.topics import DEAD_LETTERS, ENRICHED_ORDERS, limit_variables
from events import DeadLetter, Header
from tests.builders.events import dead_letter
from tests.cluster.mini_cluster import MiniCluster
from tests.unit.connectors.test_dead_letter_size import LIMIT, large_letters

SHADED = "org.apache.flink.kafka.shaded.org.apache.kafka"
WITHIN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Sent(NamedTuple):
    """A record as the producer gets it."""

    topic: str
    timestamp: int
    key: bytes | None
    value: bytes

    def dead_letter(self) -> DeadLetter:
        """Return the dead letter in it."""
        return msgspec.json.decode(self.value, type=DeadLetter)


class Clients:
    """Kafka's clients in the JVM, with a `repr`: Hypothesis prints its arguments, and can't print Java objects."""

    def __init__(self, java: Any, interceptor: Any) -> None:
        self.java, self.interceptor = java, interceptor

    def __repr__(self) -> str:
        return "Clients()"

    def kafka(self, name: str, *arguments: object) -> Any:
        """Create an object of the Kafka client in Flink's connector."""
        return reduce(getattr, f"{SHADED}.{name}".split("."), self.java)(*arguments)

    def sent(self, topic: str, key: bytes | None, value: bytes, timestamp: int = 0) -> Sent:
        """Pass a record through the sink's interceptor."""
        java_record = self.kafka("clients.producer.ProducerRecord", topic, None, timestamp, key, value)
        record = self.interceptor.onSend(java_record)
        return Sent(record.topic(), record.timestamp(), record.key(), bytes(record.value()))


@pytest.fixture(scope="module")
def clients(cluster: MiniCluster) -> Clients:  # noqa: ARG001 - the cluster starts the JVM
    """The clients, with a sink's interceptor that accepts records of up to `LIMIT` bytes."""
    java = java_gateway.get_gateway().jvm
    limits = limit_variables()
    options = java.java.util.HashMap()
    options.put("millrace.record.bytes", str(LIMIT))
    options.put("millrace.future.ms", limits["FUTURE_MS"])
    options.put("millrace.letter.topics", limits["LETTER_TOPICS"])
    options.put("millrace.job", "a job")
    interceptor = java.millrace.kafka.BoundedRecords()
    interceptor.configure(options)
    return Clients(java, interceptor)


@given(large_letters())
@example(dead_letter(payload=b"x" * LIMIT, source_key=None))
@WITHIN
def test_dead_letter_is_bounded_in_java_as_in_python(clients: Clients, given_letter: DeadLetter) -> None:
    sent = clients.sent(DEAD_LETTERS.name, given_letter.source_key, msgspec.json.encode(given_letter))

    letter, expected = sent.dead_letter(), cut_to_limit(given_letter, LIMIT)
    shorter, longer = sorted((letter.payload or b"", expected.payload or b""), key=len)
    assert len(sent.value) + len(sent.key or b"") <= LIMIT
    assert longer.startswith(shorter)
    assert len(longer) - len(shorter) < 10
    assert msgspec.structs.replace(letter, payload=None) == msgspec.structs.replace(expected, payload=None)


def test_too_large_event_is_replaced_by_a_dead_letter(clients: Clients) -> None:
    sent = clients.sent(ENRICHED_ORDERS.name, b"o1", b"y" * (LIMIT + 1), timestamp=7)

    letter = sent.dead_letter()
    assert (sent.topic, sent.key, sent.timestamp) == (DEAD_LETTERS.name, b"o1", 7)
    assert (letter.source_topic, letter.source_partition, letter.source_offset) == (ENRICHED_ORDERS.name, -1, -1)
    assert letter.reason == "not written: it takes 100,003 bytes, and a record of enriched-orders can have 100,000"
    assert letter.rejected_by == "a job"


def test_time_that_brokers_refuse_becomes_now(clients: Clients) -> None:
    now = time.time_ns() // 1_000_000

    nearer = clients.sent(ENRICHED_ORDERS.name, b"o1", b"", timestamp=now + 200_000).timestamp
    further = clients.sent(ENRICHED_ORDERS.name, b"o1", b"", timestamp=now + 600_000).timestamp

    assert nearer == now + 200_000
    assert now <= further <= now + 100_000


HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=4)


@given(HEADERS)
@example([("h", b"1"), ("other", None), ("h", b"2")])
@example([("millrace-headers", b"somebody else's")])
@WITHIN
def test_dead_letter_has_all_headers_of_its_record(clients: Clients, headers: list[tuple[str, bytes | None]]) -> None:
    record = clients.kafka("clients.consumer.ConsumerRecord", "payments", 0, 0, b"k", b"v")
    for name, value in headers:
        record.headers().add(name, value)
    partition = clients.kafka("common.TopicPartition", "payments", 0)
    collections = clients.java.java.util.Collections
    by_partition = collections.singletonMap(partition, collections.singletonList(record))
    records = clients.kafka("clients.consumer.ConsumerRecords", by_partition, collections.emptyMap())

    clients.java.millrace.kafka.WholeHeaders().onConsume(records)
    by_name = {each.key(): each.value() for each in record.headers().toArray()}
    draft = dead_letter(
        source_headers={name: None if value is None else bytes(value) for name, value in by_name.items()}
    )
    letter = clients.sent(DEAD_LETTERS.name, b"k", msgspec.json.encode(draft)).dead_letter()

    assert letter.source_headers == dict(headers)
    is_listed = len(headers) > 1 or [name for name, _ in headers] == ["millrace-headers"]
    listed = tuple(Header(name=name, value=value) for name, value in headers)
    assert letter.header_list == (listed if is_listed else None)
