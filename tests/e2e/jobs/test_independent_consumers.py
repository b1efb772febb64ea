"""Each consumer can be stopped, replayed from the start into a fresh target, or added, without effect on the others."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from elasticsearch.helpers import scan
from kafka import TopicPartition

from connectors.elasticsearch.client import client
from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.postgres.client import connecting
from connectors.settings import Settings
from events import DeclinedRate, Event
from jobs import warehouse
from local.oracles.warehouse import COLUMNS
from local.simulator.clock import Clock
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.progress import Progress
from local.simulator.publishing import publish_all
from local.stack.supervisor import Stack
from ops.jobs.cluster_jobs import all_jobs
from ops.jobs.flink_rest import ask
from ops.jobs.pipelines import of_pipeline
from ops.jobs.submit import Submission, of_job, send
from ops.search.apply import apply
from ops.search.indices import declared, look
from ops.topics import apply as topic_operations
from ops.warehouse import database as warehouse_operations
from tests.builders.events import customer, enriched_line, enriched_order, fraud_alert, payment
from tests.e2e.deployment import FAST_CHECKPOINTS, Deployment, consumer_of, partitions, wait_for

STEP_SECONDS = 0.25
STEP_MS = 10_000
"""Event time between two steps, each of which has four orders, four payments and an alert."""
BEGINS_BEFORE_MS = 12 * 3_600_000
CUSTOMERS = 200
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")
"""Time zones of which at least one has daytime."""

Content = Mapping[str, object]
"""Content of a target, by id."""


class Flow(threading.Thread):
    """A thread that sends orders, payments and alerts until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings, self._end = settings, threading.Event()
        self.begins_at_ms = round(time.time() * 1000) - BEGINS_BEFORE_MS
        self.payments: list[Event] = []

    def run(self) -> None:
        clock = Clock(round(time.time() * 1000), speed=1, real=True)
        publish_all(
            self._records(round(time.time() * 1000)),
            self._settings.kafka_bootstrap_servers,
            clock=clock,
            progress=Progress("flow", True),
            stop=self._end,
        )

    def end(self) -> None:
        """Stop sending."""
        self._end.set()
        self.join()

    def _records(self, begins_ms: int) -> Iterator[Outgoing]:
        zone = next(each for each in ZONES if 9 <= _hour(self.begins_at_ms, each) < 17)
        for number in range(CUSTOMERS):
            yield sent(topics.CUSTOMER_CHANGES, _customer(number, self.begins_at_ms, zone), begins_ms)
        for step in count():
            send_at, event_time = begins_ms + round(step * STEP_SECONDS * 1000), self.begins_at_ms + step * STEP_MS
            for topic, event in _events(step, event_time):
                if topic == topics.PAYMENTS:
                    self.payments.append(event)
                yield sent(topic, event, send_at)


def _hour(at_ms: int, zone: str) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).hour


def _customer(number: int, event_time: int, zone: str) -> Event:
    return customer(_customer_id(number), lsn=number + 1, event_time=event_time, time_zone=zone)


def _customer_id(number: int) -> str:
    return f"independent-{number % CUSTOMERS}"


def _events(step: int, event_time: int) -> Iterator[tuple[Topic, Event]]:
    for number in range(4 * step, 4 * step + 4):
        category = ("books", "toys", "shoes")[number % 3]
        yield (
            topics.ENRICHED_ORDERS,
            enriched_order(
                f"independent-{number}",
                customer_id=_customer_id(number),
                event_time=event_time,
                lines=(enriched_line(category=category),),
            ),
        )
        yield (
            topics.PAYMENTS,
            payment(
                f"independent-{number % 40}", payment_id=f"independent-{number}", event_time=event_time, country="PT"
            ),
        )
    yield (
        topics.FRAUD_ALERTS,
        fraud_alert(
            f"independent-{step}-1",
            case_id=f"independent-{step}",
            card_id=f"independent-{step}",
            customer_id=_customer_id(step),
            event_time=event_time,
        ),
    )


def sent(topic: Topic, event: Event, send_at_ms: int) -> Outgoing:
    return Outgoing(topic, str(getattr(event, topic.key)).encode(), event.event_time, send_at_ms, GOOD, event)


@dataclass(frozen=True)
class Consumer:
    """One consumer and its target."""

    name: str
    inputs: Sequence[Topic]
    read: Callable[[Deployment], Content]
    """Returns the target's content from the input that this deployment has read."""
    empty: Callable[[Settings], None] = lambda _: None
    """Empties the target."""
    writes: Sequence[Topic] = ()
    is_pipeline: bool = False

    def submission(self) -> Submission:
        """Return the submission of the job, to be sent with others."""
        return of_pipeline(self.name) if self.is_pipeline else of_job(self.name)

    def deploy(
        self, settings: Settings, prefix: str, begin_at: Mapping[TopicPartition, int] | None = None
    ) -> Deployment:
        """Return a deployment with a group of its own, which has read nothing."""
        outputs = (*self.writes, topics.DEAD_LETTERS)
        pipeline = self.name if self.is_pipeline else ""
        return Deployment(
            settings, prefix, begin_at, job=self.name, pipeline=pipeline, inputs=self.inputs, outputs=outputs
        )


def written(topic: Topic) -> Callable[[Deployment], Content]:
    """Return a function that reads the events of a deployment in a topic, by id."""
    return lambda deployment: {event.event_id: event for event in deployment.outputs().events[topic.name]}


def rows(deployment: Deployment) -> Content:
    """Return the rows of the warehouse, each as its own key: a changed row is a missing one."""
    with connecting(warehouse_operations.address(deployment.settings), statement_seconds=30) as connection:
        return {
            f"{table}: {row}": row
            for table, columns in COLUMNS.items()
            for row in connection.execute(f"SELECT {columns} FROM warehouse.{table}".encode()).fetchall()
        }


def empty_tables(settings: Settings) -> None:
    with connecting(warehouse_operations.address(settings), statement_seconds=30) as connection:
        connection.execute("TRUNCATE " + ", ".join(f"warehouse.{target}" for target in warehouse.TARGETS))


def documents(deployment: Deployment) -> Content:
    """Return the documents of the search index."""
    settings = deployment.settings
    return {f"{each.alias}: {key}": found for each in SEARCH_INDICES for key, found in all_of(settings, each.alias)}


def all_of(settings: Settings, alias: str) -> Iterator[tuple[str, object]]:
    """Yield id and content of the documents of one index."""
    with client(settings) as elasticsearch:
        elasticsearch.indices.refresh(index=alias)
        for hit in scan(elasticsearch, index=alias):
            yield hit["_id"], hit["_source"]


def empty_indices(settings: Settings) -> None:
    with client(settings) as elasticsearch:
        for wanted in declared():
            for index in look(elasticsearch, wanted).behind:
                elasticsearch.indices.delete(index=index.name)
        apply(elasticsearch, declared())


CHANGES = (topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES)
WAREHOUSE = Consumer(
    "warehouse",
    (*CHANGES, topics.ENRICHED_ORDERS, topics.PAYMENTS, topics.FRAUD_ALERTS, topics.REVENUE),
    rows,
    empty_tables,
)
SEARCH_INDEX = Consumer("search_index", (topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS), documents, empty_indices)
NOTIFICATIONS = Consumer(
    "notifications",
    (topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS, topics.CUSTOMER_CHANGES),
    written(topics.NOTIFICATIONS),
    writes=(topics.NOTIFICATIONS,),
)
REVENUE = Consumer(
    "revenue_per_minute",
    (topics.ENRICHED_ORDERS,),
    written(topics.REVENUE),
    writes=(topics.REVENUE,),
    is_pipeline=True,
)
DECLINED_RATES = Consumer(
    "declined_rates",
    (topics.PAYMENTS,),
    written(topics.DECLINED_RATES),
    writes=(topics.DECLINED_RATES,),
    is_pipeline=True,
)
CONSUMERS = (REVENUE, NOTIFICATIONS, SEARCH_INDEX, WAREHOUSE)


@dataclass
class World:
    """The running consumers, submitted by one client, and the flow that they read."""

    settings: Settings
    flow: Flow
    running: dict[str, Deployment] = field(default_factory=dict)

    def offsets(self, name: str) -> int:
        """Return the sum of the offsets that a consumer's group has committed."""
        deployment = self.running[name]
        group = f"{deployment.settings.consumer_group_prefix}.{name}"
        with consumer_of(self.settings, group) as consumer:
            inputs = next(each.inputs for each in CONSUMERS if each.name == name)
            return sum(consumer.committed(each) or 0 for each in partitions(inputs))


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    """All consumers running on a flow that has begun."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    warehouse_operations.migrate(settings)
    world = World(settings, Flow(settings))
    try:
        for consumer in CONSUMERS:
            consumer.empty(settings)
            world.running[consumer.name] = consumer.deploy(settings, "independent")
        world.flow.start()
        started = replace(settings, consumer_group_prefix="independent")
        ids = send([consumer.submission() for consumer in CONSUMERS], started, options=FAST_CHECKPOINTS)
        for deployment, job_id in zip(world.running.values(), ids, strict=True):
            deployment.job_id = job_id
            deployment.wait_until_running()
        yield world
    finally:
        world.flow.end()
        for deployment in world.running.values():
            deployment.cancel()


def operators(deployment: Deployment) -> list[str]:
    """Return the ids of the job's vertices, which follow from its operators' uids."""
    vertices = ask(deployment.settings, "GET", f"jobs/{deployment.job_id}")["vertices"]
    return [vertex["id"] for vertex in vertices]


def offsets_of_others(world: World, consumer: Consumer) -> dict[str, int]:
    """Return the offsets of the other consumers."""
    return {name: world.offsets(name) for name in world.running if name != consumer.name}


def assert_undisturbed(world: World, before: Mapping[str, int]) -> None:
    """Assert that the other consumers continue to read, and have not restarted."""
    for name, offsets in before.items():
        wait_for(f"{name} to continue", lambda name=name, offsets=offsets: world.offsets(name) > offsets)  # type: ignore[misc]
        deployment = world.running[name]
        assert deployment.restarts() == 0
        assert {job.id: job.state for job in all_jobs(world.settings)}[deployment.job_id] == "RUNNING"


@pytest.mark.full
@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.name)
def test_stopped_consumer_replayed_into_a_fresh_target_disturbs_no_other(world: World, consumer: Consumer) -> None:
    first = world.running[consumer.name]
    wait_for(f"{consumer.name} to fill its target", lambda: len(consumer.read(first)) >= 20)
    others = offsets_of_others(world, consumer)

    first.stop()
    before = consumer.read(first)
    consumer.empty(world.settings)
    replay = world.running[consumer.name] = consumer.deploy(world.settings, "replayed", first.begins_at)
    replay.start()

    wait_for(f"{consumer.name} to be where it was", lambda: before.keys() <= consumer.read(replay).keys())
    after = consumer.read(replay)
    assert {each: after[each] for each in before} == before
    assert replay.outputs().dead_letters() == []
    assert operators(replay) == operators(first), "submitted with others a job has other uids than alone"
    assert_undisturbed(world, others)


@pytest.mark.full
def test_added_consumer_reads_all_from_the_start_and_disturbs_no_other(world: World) -> None:
    others = offsets_of_others(world, DECLINED_RATES)
    begin_at = {each: world.running["warehouse"].begins_at[each] for each in partitions(DECLINED_RATES.inputs)}

    added = DECLINED_RATES.deploy(world.settings, "added", begin_at)
    try:
        added.start()
        wait_for("the first hours to be counted", lambda: len(DECLINED_RATES.read(added)) >= 3)
    finally:
        added.cancel()

    rates = [each for each in DECLINED_RATES.read(added).values() if isinstance(each, DeclinedRate)]
    paid_at = [each.event_time for each in world.flow.payments]
    assert {each.event_id: each.payments for each in rates} == {
        each.event_id: sum(each.window_start <= at < each.window_end for at in paid_at) for each in rates
    }
    assert_undisturbed(world, others)
