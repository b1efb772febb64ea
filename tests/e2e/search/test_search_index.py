"""The search index on the real stack: after crashes and refusals its documents agree with the topics."""

import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import psutil
import pytest
import requests
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from connectors.elasticsearch.client import client
from connectors.elasticsearch.documents import SEARCH_INDICES, action
from connectors.kafka import topics
from connectors.settings import Settings
from events import Event
from jobs import search_index
from local.simulator.outgoing import Outgoing
from local.stack import processes
from local.stack.supervisor import Stack
from ops.search import apply as search
from ops.search.indices import declared
from ops.topics import apply as topic_operations
from tests.builders.events import enriched_line, enriched_order, fraud_alert
from tests.builders.warehouse_world import bad_record, outgoing
from tests.e2e.deployment import Deployment, records_from, wait_for
from tests.e2e.search.faulty_proxy import BUSY, UNKNOWN_USER, FaultyProxy, faulty_proxy
from tests.services.lone_elasticsearch import kill_node

INPUTS = (topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS)
OUTPUTS = (topics.DEAD_LETTERS,)
ALIASES = tuple(index.alias for index in SEARCH_INDICES)
RATE = 200
"""Events a second, under load."""
MOST_LINES = 5
"""Elasticsearch refuses orders of more lines, by a setting of these tests."""
BLOCKS = ("index.blocks.read_only_allow_delete", "index.blocks.write")
"""Settings of a full disk and of an operator; Elasticsearch answers 429 to one and 403 to the other."""

Documents = Mapping[tuple[str, str], tuple[int, str]]
"""Version and checksum by index and id."""


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics and indices."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    with client(settings) as elasticsearch:
        search.apply(elasticsearch, declared())
    return settings


@pytest.fixture
def elasticsearch(settings: Settings) -> Iterator[Elasticsearch]:
    """A client past the proxy."""
    with client(settings) as asked:
        asked.indices.put_settings(index="orders", settings={"index.mapping.nested_objects.limit": MOST_LINES})
        yield asked
        usual = dict.fromkeys([*BLOCKS, "index.mapping.nested_objects.limit"])
        asked.indices.put_settings(index=ALIASES, settings=usual)


@pytest.fixture
def proxy(settings: Settings) -> Iterator[FaultyProxy]:
    """A proxy between the job and Elasticsearch."""
    with faulty_proxy(settings.elasticsearch_url) as running:
        yield running


@pytest.fixture
def deployment(settings: Settings, proxy: FaultyProxy, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A job of the test's own, cancelled after the test."""
    with deployed(replace(settings, elasticsearch_url=proxy.url), request.node.name) as running:
        yield running


@pytest.fixture
def name() -> str:
    """Prefix of the ids of the test's documents, which no other test has."""
    return f"test-{time.time_ns():x}"


@contextmanager
def deployed(settings: Settings, name: str, begins_like: Deployment | None = None) -> Iterator[Deployment]:
    begin_at = begins_like.begins_at if begins_like else None
    deployment = Deployment(settings, name, begin_at, job=search_index.JOB, inputs=INPUTS, outputs=OUTPUTS)
    try:
        yield deployment
    finally:
        deployment.cancel()


def world(name: str, seed: int) -> Iterator[Event]:
    """Yield orders of up to three revisions and alerts, endless and out of order; some come twice.

    Args:
        name: prefix of every id.
    """
    random = Random(seed)
    waiting: list[Event] = []
    for number in itertools.count():
        at = round(time.time() * 1000)
        lines = tuple(enriched_line(n + 1, quantity=random.randint(1, 9)) for n in range(random.randint(1, MOST_LINES)))
        for revision in range(1, random.randint(1, 3) + 1):
            waiting.append(
                enriched_order(
                    f"{name}-o{number}", revision=revision, event_time=at, customer_lsn=revision, lines=lines
                )
            )
        if number % 10 == 0:
            waiting.append(fraud_alert(f"{name}-a{number}", event_time=at, score=random.randrange(1000)))
        while len(waiting) > 100:
            event = waiting.pop(random.randrange(len(waiting)))
            yield event
            if random.random() < 0.1:
                waiting.append(event)


def at_rate(events: Iterator[Event]) -> Iterator[Outgoing]:
    """Yield the events as records to be sent at `RATE`, among them some that can't be indexed."""
    begin = round(time.time() * 1000)
    for number in itertools.count():
        at = begin + 1000 * number // RATE
        if number % 500 == 100:
            topic = INPUTS[number // 500 % len(INPUTS)]
            yield replace(bad_record(topic, at, b"no event of " + topic.name.encode()), send_at_ms=at)
        elif number % 500 == 300:
            yield replace(outgoing(refused(f"refused-{number}", at)), send_at_ms=at)
        else:
            yield replace(outgoing(next(events)), send_at_ms=at)


def refused(order_id: str, at: int) -> Event:
    """Return a valid event that Elasticsearch refuses."""
    return enriched_order(order_id, event_time=at, lines=tuple(enriched_line(n) for n in range(1, MOST_LINES + 2)))


def indexed(elasticsearch: Elasticsearch) -> int:
    return sum(elasticsearch.indices.stats(index=alias)["_all"]["primaries"]["docs"]["count"] for alias in ALIASES)


def found(elasticsearch: Elasticsearch, name: str) -> Documents:
    """Return all documents whose ids begin with a name."""
    elasticsearch.indices.refresh(index=ALIASES)
    return {
        (alias, hit["_id"]): (hit["_version"], checksum(hit["_source"]))
        for alias in ALIASES
        for hit in scan(elasticsearch, index=alias, version=True)
        if hit["_id"].startswith(f"{name}-")
    }


def checksum(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def assert_reconciled(deployment: Deployment, elasticsearch: Elasticsearch, name: str) -> None:
    """Assert that the index agrees with the topics since the deployment was made, and all else is a dead letter."""
    expected: dict[tuple[str, str], tuple[int, str]] = {}
    rejected = {}
    for record in records_from(deployment.settings, deployment.begins_at):
        if record.value.startswith(b"no event") or b'"order_id":"refused-' in record.value:
            rejected[record.topic, record.partition, record.offset] = record.value
            continue
        wanted = action(record.topic, record.key, record.value)
        known = expected.get((wanted.alias, wanted.id))
        if known is None or known[0] < wanted.version:
            document = json.loads(wanted.document or b"")
            expected[wanted.alias, wanted.id] = (wanted.version, checksum(document))
    assert expected
    assert found(elasticsearch, name) == expected
    letters = deployment.outputs().dead_letters()
    assert {
        (each.source_topic, each.source_partition, each.source_offset): each.payload for each in letters
    } == rejected


def worker_of(stack: Stack, deployment: Deployment) -> psutil.Process:
    """Return the Python process that writes to Elasticsearch."""
    recorded = processes.running(stack.service(deployment.taskmanager()).place.pid_file)
    assert recorded
    started = psutil.Process(recorded.pid).children(recursive=True)
    [worker] = [each for each in started if "pyflink.fn_execution.beam.beam_boot" in each.cmdline()]
    return worker


def test_busy_read_only_or_killed_elasticsearch_loses_no_document(
    deployment: Deployment,
    elasticsearch: Elasticsearch,
    proxy: FaultyProxy,
    stack: Stack,
    name: str,
    *,
    outage_seconds: float,
) -> None:
    deployment.start()

    with deployment.load(at_rate(world(name, seed=1)), endless=True):
        wait_for("documents", lambda: indexed(elasticsearch) > 500)
        proxy.answer = BUSY
        wait_for("Elasticsearch to be busy for a while", lambda: proxy.answered >= 5)
        proxy.answer = None
        for block in BLOCKS:
            elasticsearch.indices.put_settings(index="orders", settings={block: True})
            blocked_since = proxy.passed
            wait_for("the job to have tried it again", lambda since=blocked_since: proxy.passed >= since + 5)
            elasticsearch.indices.put_settings(index="orders", settings={block: None})
        proxy.hold()
        wait_for("a bulk request to be done", proxy.held.is_set)
        kill_node(stack)
        killed = time.monotonic()
        proxy.release()
        wait_for(
            "Elasticsearch to have been unavailable for long", lambda: time.monotonic() > killed + outage_seconds, 150
        )
        stack.start("elasticsearch")
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() == 0
    assert_reconciled(deployment, elasticsearch, name)


@pytest.mark.full
def test_flink_killed_inside_a_bulk_request_loses_no_document(
    deployment: Deployment, elasticsearch: Elasticsearch, proxy: FaultyProxy, stack: Stack, name: str
) -> None:
    deployment.start()

    with deployment.load(at_rate(world(name, seed=2)), endless=True):
        deployment.wait_for_checkpoints()
        proxy.hold()
        wait_for("a bulk request to be done", proxy.held.is_set)
        worker_of(stack, deployment).kill()
        proxy.release()
        wait_for("the job to notice", lambda: deployment.restarts() >= 1)
        deployment.wait_until_running()
        deployment.wait_for_checkpoints()
        proxy.hold()
        wait_for("a bulk request to be done", proxy.held.is_set)
        taskmanager, orphan = deployment.taskmanager(), worker_of(stack, deployment)
        stack.kill(taskmanager)
        proxy.release()
        stack.start(taskmanager)
        wait_for("the job to notice", lambda: deployment.restarts() >= 2)
        deployment.wait_until_running()
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert_reconciled(deployment, elasticsearch, name)
    wait_for("the killed TaskManager's worker to end", lambda: not orphan.is_running())


@pytest.mark.full
def test_topic_replay_overwrites_nothing_and_new_orders_are_found_soon(
    deployment: Deployment, elasticsearch: Elasticsearch, settings: Settings, name: str
) -> None:
    events = list(itertools.islice(world(name, seed=3), 1000))
    deployment.start()
    deployment.publish([outgoing(event) for event in events])
    deployment.wait_until_all_is_read()
    places = writes(elasticsearch, name)

    with deployed(settings, "told_again", begins_like=deployment) as replay:
        replay.start()
        new, asked = (
            enriched_order(f"{name}-new", event_time=round(time.time() * 1000)),
            {"term": {"order_id": f"{name}-new"}},
        )
        deployment.publish([outgoing(new)])
        wait_for("the new order", lambda: elasticsearch.count(index="orders", query=asked)["count"] == 1, 15)
        deployment.publish([outgoing(event) for event in reversed(events)])
        for each in (replay, deployment):
            each.wait_until_all_is_read()
            each.stop()

    assert places.items() <= writes(elasticsearch, name).items()
    assert_reconciled(deployment, elasticsearch, name)


def writes(elasticsearch: Elasticsearch, name: str) -> dict[str, int]:
    """Return the sequence number of the write that each document is from."""
    elasticsearch.indices.refresh(index=ALIASES)
    hits = scan(elasticsearch, index=ALIASES, query={"seq_no_primary_term": True})
    return {hit["_id"]: hit["_seq_no"] for hit in hits if hit["_id"].startswith(f"{name}-")}


@pytest.mark.full
def test_refused_password_fails_the_job_until_accepted_and_is_never_shown(
    settings: Settings, elasticsearch: Elasticsearch, proxy: FaultyProxy, stack: Stack, name: str
) -> None:
    password = "seen-wherever-it-is-shown"
    secretive = replace(
        settings, elasticsearch_url=proxy.url, elasticsearch_user="indexer", elasticsearch_password=password
    )
    proxy.answer = UNKNOWN_USER
    with deployed(secretive, "password") as deployment:
        deployment.start()
        job = f"{settings.flink_rest_url.rstrip('/')}/jobs/{deployment.job_id}"
        deployment.publish([outgoing(enriched_order(f"{name}-o1", event_time=round(time.time() * 1000)))])
        wait_for(
            "the password to be refused",
            lambda: (
                "doesn't take user 'indexer' with this password" in requests.get(f"{job}/exceptions", timeout=10).text
            ),
        )
        proxy.answer = None
        deployment.wait_until_all_is_read()
        pages = [requests.get(f"{job}{page}", timeout=10).text for page in ("", "/plan", "/config", "/exceptions")]

    assert_reconciled(deployment, elasticsearch, name)
    assert "MILLRACE_ELASTICSEARCH_USER" in pages[2]
    logs = [file.read_text(errors="replace") for file in stack.setup.state.rglob("*.log")]
    assert all(password not in text for text in pages + logs)
