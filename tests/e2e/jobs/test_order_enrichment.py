"""Order enrichment on the real stack: each order once for readers of committed records, also after crashes."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from events import CaptureHeartbeat, CustomerVersion, EnrichedOrder, Event, Order, ProductVersion
from local.oracles.orders import OrderOracle, without_revision
from local.simulator.outgoing import GOOD, Outgoing
from local.stack.supervisor import Stack
from ops.topics import apply as topic_operations
from tests.builders.events import customer, order, order_line, product
from tests.e2e.deployment import Deployment, ids, in_checkout, wait_for

JOB = "order_enrichment"
INPUTS = (topics.ORDERS, topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES, topics.CAPTURE_HEARTBEATS)
OUTPUTS = (topics.ENRICHED_ORDERS, topics.DEAD_LETTERS)
PRODUCTS, CUSTOMERS = 40, 40
HEARTBEAT_AHEAD_MS = 60_000
BAD_VALUES = {
    topics.ORDERS: b'{"order_id": "o1", "lines',
    topics.CUSTOMER_CHANGES: b"null",
    topics.PRODUCT_CHANGES: b"\xff",
}


def now_ms() -> int:
    return round(time.time() * 1000)


@dataclass
class Shop:
    """Orders and changes of rows that happen now, a wave at a time; it records all that was sent."""

    name: str
    """Prefix of every key, so that two shops have no key in common."""
    orders: list[Order] = field(default_factory=list)
    customers: list[CustomerVersion] = field(default_factory=list)
    products: list[ProductVersion] = field(default_factory=list)
    bad_records: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.name)
        self._lsn = 0
        self._end_ms = 0

    def wave(self, orders: int) -> list[Outgoing]:
        """Return the last two seconds: some changed rows, some orders, some bad records."""
        start = max(now_ms() - 2_000, self._end_ms)
        self._end_ms = start + 2_000
        changes = [self._change(at_ms) for at_ms in sorted(start + self._random.randrange(1000) for _ in range(60))]
        placed = [self._order(start + self._random.randrange(1000, 2000)) for _ in range(orders)]
        self.orders += placed
        repeated = self._random.sample(placed, len(placed) // 20)
        bad = [Outgoing(each, b"k", start, start, "bad", None, BAD_VALUES[each]) for each in BAD_VALUES]
        self.bad_records += len(bad)
        beat = self._heartbeat(self._end_ms + HEARTBEAT_AHEAD_MS)
        return [*changes, beat, *(sent(topics.ORDERS, each) for each in [*placed, *repeated]), *bad]

    def _heartbeat(self, at_ms: int) -> Outgoing:
        """Return a heartbeat that lets no order wait: capture is ahead of every order."""
        beat = CaptureHeartbeat(
            event_id=f"{self.name}-{at_ms}",
            event_time=at_ms,
            op="u",
            lsn=self._lsn,
            deleted=False,
            connector=self.name,
            beats=self._lsn,
        )
        return sent(topics.CAPTURE_HEARTBEATS, beat)

    def _change(self, at_ms: int) -> Outgoing:
        self._lsn += 1
        gone = self._random.random() < 0.1
        more = {"event_time": at_ms, "lsn": self._lsn, "deleted": gone, "op": "d" if gone else "u"}
        if self._random.random() < 0.3:
            version = customer(f"{self.name}-c{self._random.randrange(CUSTOMERS)}", name=f"lsn {self._lsn}", **more)
            self.customers.append(version)
            return sent(topics.CUSTOMER_CHANGES, version)
        product_id = f"{self.name}-p{self._random.randrange(PRODUCTS)}"
        article = product(product_id, price=self._random.randint(1, 99), name=f"lsn {self._lsn}", **more)
        self.products.append(article)
        return sent(topics.PRODUCT_CHANGES, article)

    def _order(self, at_ms: int) -> Order:
        products = self._random.sample(range(PRODUCTS), self._random.randint(1, 3))
        lines = tuple(order_line(f"{self.name}-p{each}", number) for number, each in enumerate(products, start=1))
        customer_id = f"{self.name}-c{self._random.randrange(CUSTOMERS)}"
        order_id = f"{self.name}-{at_ms}-{self._random.randrange(10**9)}"
        return order(order_id, event_time=at_ms, lines=lines, customer_id=customer_id)

    def expected(self) -> dict[str, EnrichedOrder]:
        """Return the last revision that each order must reach."""
        oracle = OrderOracle(self.customers, self.products)
        return {each.order_id: oracle.in_the_end(each) for each in self.orders}


def sent(topic: Topic, event: Event) -> Outgoing:
    key = str(getattr(event, topic.key)).encode()
    return Outgoing(topic, key, event.event_time, event.event_time, GOOD, event)


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001 - it must run, and its settings are in the environment
    """The shared stack with its topics."""
    settings = Settings.from_environment()
    topic_operations.apply(settings)
    return settings


def deployed(settings: Settings, name: str, like: Deployment | None = None) -> Deployment:
    """Return a group that has read nothing yet, or that begins where `like` began."""
    begin_at = like.begins_at if like else None
    return Deployment(settings, name, begin_at, job=JOB, inputs=INPUTS, outputs=OUTPUTS)


@pytest.fixture
def deployment(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A job of the test's own, cancelled after the test."""
    deployment = deployed(settings, request.node.name)
    try:
        yield deployment
    finally:
        deployment.cancel()


def rows_of(deployment: Deployment, shop: Shop) -> list[EnrichedOrder]:
    """Return the committed rows of the shop's orders."""
    rows = deployment.outputs().events[topics.ENRICHED_ORDERS.name]
    return [row for row in rows if isinstance(row, EnrichedOrder) and row.order_id.startswith(f"{shop.name}-")]


def last_revisions(rows: Iterable[EnrichedOrder]) -> dict[str, EnrichedOrder]:
    """Return the last revision of each order, without its revision number."""
    return {row.order_id: without_revision(row) for row in sorted(rows, key=lambda row: row.revision)}


def wait_for_all(deployment: Deployment, shop: Shop) -> Sequence[EnrichedOrder]:
    """Wait until every order's last revision is the expected one, and return all rows."""
    expected = shop.expected()
    try:
        wait_for("every order", lambda: last_revisions(rows_of(deployment, shop)) == expected)
    except TimeoutError as timeout:
        found = last_revisions(rows_of(deployment, shop))
        wrong = [(each, found.get(key)) for key, each in expected.items() if found.get(key) != each]
        raise AssertionError(f"{len(wrong)} orders aren't as expected, such as {wrong[:3]}") from timeout
    return rows_of(deployment, shop)


@pytest.mark.full
def test_killed_taskmanager_loses_and_repeats_no_order(deployment: Deployment, stack: Stack) -> None:
    shop = Shop("killed")
    deployment.start(options={"parallelism.default": "2"})
    deployment.publish(shop.wave(1_000))
    deployment.wait_for_checkpoints()

    deployment.publish(shop.wave(1_000))
    taskmanager = deployment.taskmanager()
    stack.kill(taskmanager)
    deployment.publish(shop.wave(1_000))
    stack.start(taskmanager)
    deployment.publish(shop.wave(1_000))
    rows = wait_for_all(deployment, shop)

    assert deployment.restarts() >= 1
    assert max(Counter(row.event_id for row in rows).values()) == 1
    assert len(set(ids(deployment.outputs().dead_letters()))) == shop.bad_records


@pytest.mark.full
def test_job_resumed_after_a_lost_jobmanager_loses_and_repeats_no_order(deployment: Deployment, stack: Stack) -> None:
    shop = Shop("lost")
    deployment.start()
    deployment.publish(shop.wave(500))
    deployment.wait_for_checkpoints()
    deployment.publish(shop.wave(500))

    stack.kill("jobmanager")
    deployment.publish(shop.wave(500))
    in_checkout("-m local.stack up")
    deployment.resume_lost_job()
    deployment.publish(shop.wave(500))
    rows = wait_for_all(deployment, shop)

    assert max(Counter(row.event_id for row in rows).values()) == 1
    assert len(set(ids(deployment.outputs().dead_letters()))) == shop.bad_records


@pytest.mark.full
def test_restart_from_a_savepoint_loses_and_repeats_no_order(deployment: Deployment) -> None:
    shop = Shop("stopped")
    deployment.start()
    deployment.publish(shop.wave(500))
    deployment.wait_for_checkpoints()
    deployment.publish(shop.wave(500))
    savepoint = deployment.stop()
    deployment.publish(shop.wave(500))

    deployment.start(savepoint=savepoint)
    deployment.publish(shop.wave(500))
    rows = wait_for_all(deployment, shop)

    assert max(Counter(row.event_id for row in rows).values()) == 1
    assert len(deployment.outputs().dead_letters()) == shop.bad_records


@pytest.mark.full
def test_two_deployments_emit_the_same_and_abort_no_foreign_transaction(
    deployment: Deployment, settings: Settings
) -> None:
    shop = Shop("beside")
    deployment.start()
    deployment.publish(shop.wave(500))
    wait_for_all(deployment, shop)

    replay = deployed(settings, "beside-replay", like=deployment)
    try:
        replay.start()
        deployment.publish(shop.wave(500))
        deployment.publish(shop.wave(500))
        wait_for_all(deployment, shop)
        wait_for("the replay", lambda: {*counts(rows_of(deployment, shop)).values()} == {2})
        restarts = deployment.restarts(), replay.restarts()
    finally:
        replay.cancel()

    assert restarts == (0, 0)


def counts(rows: Iterable[EnrichedOrder]) -> Counter[str]:
    """Return how many times each order's last revision is there."""
    rows = list(rows)
    last = last_revisions(rows)
    return Counter(row.order_id for row in rows if without_revision(row) == last[row.order_id])
