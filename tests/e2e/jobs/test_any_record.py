"""Unusual records that Kafka accepts stop no job on the real stack, and each of them is accounted for."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from connectors.elasticsearch.client import client
from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from events import DeadLetter, Header
from local.stack.supervisor import Stack
from ops.search import apply as search
from ops.search.indices import declared
from ops.topics import apply as topic_operations
from ops.warehouse import database as warehouse_operations
from tests.builders.events import order, order_line
from tests.cluster.records import Record
from tests.e2e.deployment import Deployment, publish_default_rules

HEADERS = [(f"header-{number % 7_000}", b"h" * 100) for number in range(7_001)]
READS: Mapping[str, Sequence[Topic]] = {
    "order_enrichment": (topics.ORDERS,),
    "fraud_detection": (topics.PAYMENTS,),
    "warehouse": (topics.PAYMENTS, topics.ENRICHED_ORDERS),
    "search_index": (topics.ENRICHED_ORDERS,),
    "notifications": (topics.ENRICHED_ORDERS,),
    "unpaid_orders": (topics.ORDERS, topics.PAYMENTS),
}
"""The topics with bad records that each job or pipeline reads."""
PIPELINES = {"unpaid_orders"}


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with topics, rules, indices and a warehouse."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    publish_default_rules(settings)
    warehouse_operations.migrate(settings)
    with client(settings) as elasticsearch:
        search.apply(elasticsearch, declared())
    return settings


@contextmanager
def topics_without_time_limit(settings: Settings, of: Sequence[Topic]) -> Iterator[None]:
    """Let topics accept records of any time while the block runs, as if another team had made them."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)

    def alter(limit: str | None) -> None:
        for topic in of:
            config = topic.config() | ({"message.timestamp.after.max.ms": limit} if limit else {})
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, config)])

    alter(str(2**63 - 1))
    try:
        yield
    finally:
        alter(None)
        admin.close()


def bad_records(now: int) -> dict[str, Record]:
    """Return records that are no event of any topic, by what is unusual about them."""
    return {
        "large value": Record(b"x" * 900_000, key=b"k1", timestamp=now),
        "large key": Record(b"no event", key=b"k" * 800_000, timestamp=now),
        "before 1970": Record(b"no event", key=b"k2", timestamp=-1_000),
        "in microseconds": Record(b"no event", key=b"k3", timestamp=now * 1_000),
    }


def send(settings: Settings, topic: Topic, now: int) -> dict[str, str]:
    """Send the bad records, and return the ids of their dead letters by what is unusual about them."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, batch_size=0)
    sent = {
        what: producer.send(topic.name, each.value, each.key, timestamp_ms=each.timestamp, partition=0).get(10)
        for what, each in bad_records(now).items()
    }
    sent["many headers"] = producer.send(topic.name, b"no event", b"k4", HEADERS, partition=0).get(10)
    sent["headers"] = producer.send(topic.name, b"no event", b"k5", HEADERS[-2:] + HEADERS[:1], partition=0).get(10)
    producer.close()
    return {what: f"{topic.name}-{place.partition}-{place.offset}" for what, place in sent.items()}


def send_orders(settings: Settings, now: int) -> str:
    """Send an order that becomes too large and a small one, and return the dead letter's id of the first."""
    lines = tuple(order_line(f"any-record-{number:07}", number) for number in range(1, 6_001))
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    large, small = order("any-record-large", lines=lines, event_time=now), order("any-record-small", event_time=now)
    place, _ = [
        producer.send(topics.ORDERS.name, msgspec.json.encode(each), each.order_id.encode(), timestamp_ms=now).get(10)
        for each in (large, small)
    ]
    producer.close()
    return f"{topics.ORDERS.name}-{place.partition}-{place.offset}"


@pytest.mark.full
def test_unusual_records_that_kafka_accepts_stop_no_job(settings: Settings) -> None:
    jobs = tuple(READS)
    read = {topic.name: topic for job in jobs for topic in READS[job]}
    # The time of the import won't do: an order must not be late by the other records, which Kafka dates.
    now = round(time.time() * 1000)
    deployments = {job: deployed(job, settings, f"any-record-{job}-{now}") for job in jobs}
    with topics_without_time_limit(settings, tuple(read.values())), ExitStack() as running:
        for deployment in deployments.values():
            running.callback(deployment.cancel)
            deployment.start()

        ids = {name: send(settings, topic, now) for name, topic in read.items()}
        large_order = send_orders(settings, now)
        for deployment in deployments.values():
            deployment.wait_until_all_is_read()
        for deployment in deployments.values():
            deployment.wait_for_checkpoints()

        assert {job: deployment.restarts() for job, deployment in deployments.items()} == dict.fromkeys(jobs, 0)
        letters = {
            (letter.rejected_by, letter.event_id): letter
            for deployment in deployments.values()
            for letter in deployment.outputs().events[topics.DEAD_LETTERS.name]
            # Captured tables are left out: jobs read them from the start, with what other tests did to them.
            if isinstance(letter, DeadLetter) and letter.source_topic in read
        }
    expected = {(job, letter_id) for job in jobs for topic in READS[job] for letter_id in ids[topic.name].values()}
    assert letters.keys() == expected | {("order_enrichment", large_order)}
    for job in jobs:
        for topic in READS[job]:
            check({what: letters[job, letter_id] for what, letter_id in ids[topic.name].items()}, now)


def deployed(job: str, settings: Settings, name: str) -> Deployment:
    """Return a job or pipeline with a group of its own."""
    inputs = READS[job]
    outputs = (topics.DEAD_LETTERS,)
    if job in PIPELINES:
        return Deployment(settings, name, pipeline=job, inputs=inputs, outputs=outputs)
    return Deployment(settings, name, job=job, inputs=inputs, outputs=outputs)


def check(letters: Mapping[str, DeadLetter], now: int) -> None:
    """Assert that each dead letter has the content of its record, or its beginning."""
    large = letters["large value"]
    assert large.cut is not None
    assert large.cut.payload_sha256 == hashlib.sha256(b"x" * 900_000).hexdigest()
    assert 0 < len(large.payload or b"") < large.cut.payload_bytes == 900_000
    assert letters["large key"].cut is not None
    assert letters["before 1970"].source_time == -1_000
    assert letters["in microseconds"].source_time == now * 1_000
    assert letters["many headers"].cut is not None
    assert letters["many headers"].cut.headers == len(HEADERS)
    assert letters["headers"].header_list == tuple(
        Header(name=name, value=value) for name, value in HEADERS[-2:] + HEADERS[:1]
    )
