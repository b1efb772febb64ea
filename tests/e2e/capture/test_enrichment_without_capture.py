"""Orders get the prices of their event time, also while change data capture is unavailable or lags."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from connectors.kafka import topics
from connectors.postgres.captured_tables import CONNECTOR
from connectors.settings import Settings
from events import CustomerVersion, EnrichedOrder, Order, ProductVersion
from local.oracles.orders import OrderOracle
from local.simulator.outgoing import Outgoing
from local.simulator.shop.database import connect, make_tables
from local.stack.supervisor import Stack
from ops.capture import apply as change_capture
from ops.capture.connect_rest import ask
from ops.topics import apply as topic_operations
from tests.builders.events import order, order_line
from tests.e2e.capture.captured import Stream, healthy_capture
from tests.e2e.deployment import Deployment, consumer_of, partitions, wait_for
from tests.e2e.jobs.test_order_enrichment import OUTPUTS, last_revisions, now_ms, sent

INPUTS = (topics.ORDERS, topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES, topics.CAPTURE_HEARTBEATS)
CUSTOMERS, PRODUCTS = 50, 20
CHANGES_A_SECOND, ORDERS_A_SECOND = 20, 20


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001 - it must run, and its settings are in the environment
    """Settings of a shop's database whose changes are captured."""
    settings = Settings.from_environment()
    topic_operations.apply(settings)
    make_tables(settings, CUSTOMERS)
    change_capture.apply(settings)
    return settings


def deployed(settings: Settings, name: str, like: Deployment | None = None) -> Deployment:
    """Return a group that reads all changes, and the orders from now on or from where `like` began."""
    with consumer_of(settings) as consumer:
        begin_at = consumer.end_offsets(partitions(INPUTS))
        begin_at |= consumer.beginning_offsets(partitions((topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES)))
    begin_at = like.begins_at if like else begin_at
    return Deployment(settings, name, begin_at, job="order_enrichment", inputs=INPUTS, outputs=OUTPUTS)


class Trade:
    """Prices that change and orders that are placed while the trade is open; it records the orders."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.orders: list[Order] = []
        self._settings, self._name = settings, name
        self._random = random.Random(name)
        self._stop = threading.Event()

    @contextmanager
    def open(self, deployment: Deployment) -> Iterator[None]:
        """Change prices and send orders until the end of the block."""
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(self._change_prices)
            try:
                with deployment.load(self._orders(), endless=True):
                    yield
            finally:
                self._stop.set()
            run.result()

    def _change_prices(self) -> None:
        """Change prices until stopped, and retry while the database is unavailable."""
        while not self._stop.wait(1 / CHANGES_A_SECOND):
            try:
                with connect(self._settings) as connection:
                    while not self._stop.wait(1 / CHANGES_A_SECOND):
                        product = f"product-{self._random.randint(1, PRODUCTS):04}"
                        price = self._random.randint(1, 99_999)
                        connection.execute(
                            "UPDATE shop.products SET price_minor = %s WHERE product_id = %s", [price, product]
                        )
            except psycopg.OperationalError:
                self._stop.wait(0.2)

    def _orders(self) -> Iterator[Outgoing]:
        moment = now_ms()
        while True:
            numbers = self._random.sample(range(1, PRODUCTS + 1), 2)
            lines = tuple(order_line(f"product-{number:04}", place) for place, number in enumerate(numbers, start=1))
            customer = f"customer-{self._random.randint(1, CUSTOMERS):07}"
            each = order(f"{self._name}-{moment}", event_time=moment, lines=lines, customer_id=customer)
            self.orders.append(each)
            yield sent(topics.ORDERS, each)
            moment += 1000 // ORDERS_A_SECOND

    def rows(self, deployment: Deployment) -> list[EnrichedOrder]:
        """Return the rows that the job emitted for this trade's orders."""
        rows = deployment.outputs().events[topics.ENRICHED_ORDERS.name]
        return [row for row in rows if isinstance(row, EnrichedOrder) and row.order_id.startswith(f"{self._name}-")]

    def expected(self) -> dict[str, EnrichedOrder]:
        """Return the last revision that each order must reach, by what was captured so far."""
        events = [record.event for record in Stream(self._settings, from_start=True).records() if record.is_event]
        oracle = OrderOracle(
            [each for each in events if isinstance(each, CustomerVersion)],
            [each for each in events if isinstance(each, ProductVersion)],
        )
        # Some orders that were generated may not have been sent when the load stopped.
        return {each.order_id: oracle.in_the_end(each) for each in self.orders}

    def wait_for_all(self, deployment: Deployment) -> list[EnrichedOrder]:
        """Wait until the last revision of every order is the expected one, and return all rows."""
        expected = self.expected()
        known = {row.order_id for row in self.rows(deployment)}

        def wrong() -> list[str]:
            last = last_revisions(self.rows(deployment))
            return [key for key, row in expected.items() if key in known | last.keys() and last.get(key) != row]

        def done() -> bool:
            # The order that was in flight when the load stopped may be missing.
            return len(last_revisions(self.rows(deployment))) >= len(expected) - 1 and not wrong()

        try:
            wait_for("every order", done)
        except TimeoutError as timeout:
            last = last_revisions(self.rows(deployment))
            pairs = [(expected[key], last.get(key)) for key in wrong()]
            raise AssertionError(
                f"{len(last)} of {len(expected)} orders came, {len(pairs)} are wrong, such as {pairs[:1]}"
            ) from timeout
        return self.rows(deployment)


@pytest.fixture
def trade(settings: Settings, request: pytest.FixtureRequest) -> Trade:
    return Trade(settings, request.node.name)


@contextmanager
def enriching(settings: Settings, name: str, wait_seconds: int) -> Iterator[Deployment]:
    """Run a job whose orders wait for capture for at most `wait_seconds`."""
    deployment = deployed(replace(settings, capture_wait_seconds=str(wait_seconds)), name)
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.cancel()


@contextmanager
def outage(stack: Stack, service: str, seconds: float) -> Iterator[None]:
    """Kill a service, and start it again after `seconds`."""
    stack.kill(service)
    began = time.monotonic()
    try:
        yield
        wait_for(f"{service} to be unavailable for {seconds} s", lambda: time.monotonic() - began >= seconds)
    finally:
        stack.start(service)


@contextmanager
def lagging(settings: Settings, seconds: float) -> Iterator[None]:
    """Pause the connector for `seconds`, while changes pile up behind its slot."""
    ask(settings, "PUT", f"connectors/{CONNECTOR}/pause")
    began = time.monotonic()
    try:
        yield
        wait_for(f"the slot to lag by {seconds} s", lambda: time.monotonic() - began >= seconds)
    finally:
        ask(settings, "PUT", f"connectors/{CONNECTOR}/resume")


def assert_replay_agrees(
    settings: Settings, deployment: Deployment, trade: Trade, rows: Sequence[EnrichedOrder]
) -> None:
    """Let another group read from where the deployment began, and compare the last revisions."""
    replay = deployed(settings, f"{deployment.settings.consumer_group_prefix}-replay", like=deployment)
    try:
        replay.start()
        again = trade.wait_for_all(replay)
    finally:
        replay.cancel()
    assert last_revisions(again).items() >= last_revisions(rows).items()


@pytest.mark.full
def test_connect_outage_beyond_the_wait_marks_and_corrects_orders(
    settings: Settings, stack: Stack, trade: Trade
) -> None:
    with enriching(settings, "beyond", wait_seconds=3) as deployment:
        with trade.open(deployment):
            wait_for("orders", lambda: len(trade.rows(deployment)) > 20)
            with outage(stack, "connect", seconds=12):
                wait_for("orders that are marked", lambda: any(row.provisional for row in trade.rows(deployment)))
            wait_for("capture to be back", lambda: healthy_capture(settings))
        rows = trade.wait_for_all(deployment)
    assert_replay_agrees(settings, deployment, trade, rows)

    corrected = {row.order_id for row in rows if row.revision > 1}
    assert corrected
    assert corrected <= {row.order_id for row in rows if row.provisional}


@pytest.mark.full
def test_connect_outage_within_the_wait_marks_no_order(settings: Settings, stack: Stack, trade: Trade) -> None:
    with enriching(settings, "within", wait_seconds=60) as deployment:
        with trade.open(deployment):
            wait_for("orders", lambda: len(trade.rows(deployment)) > 20)
            with outage(stack, "connect", seconds=11):
                pass
            wait_for("capture to be back", lambda: healthy_capture(settings))
        rows = trade.wait_for_all(deployment)

    assert not [row for row in rows if row.provisional]
    assert {row.revision for row in rows} == {1}


@pytest.mark.full
@pytest.mark.parametrize(("service", "seconds"), [("connect", 20), ("connect", 90), ("postgres", 20)])
def test_capture_outage_under_load_leaves_all_prices_right(
    settings: Settings, stack: Stack, trade: Trade, service: str, seconds: float
) -> None:
    with enriching(settings, f"outage-{service}-{seconds}", wait_seconds=60) as deployment:
        with trade.open(deployment):
            wait_for("orders", lambda: len(trade.rows(deployment)) > 20)
            with outage(stack, service, seconds):
                pass
            wait_for("capture to be back", lambda: healthy_capture(settings))
        rows = trade.wait_for_all(deployment)
    assert_replay_agrees(settings, deployment, trade, rows)

    assert any(row.provisional for row in rows) == (seconds > 60)


@pytest.mark.full
def test_slot_lag_under_load_leaves_all_prices_right(settings: Settings, trade: Trade) -> None:
    with enriching(settings, "lagging", wait_seconds=5) as deployment:
        with trade.open(deployment):
            wait_for("orders", lambda: len(trade.rows(deployment)) > 20)
            with lagging(settings, 20):
                wait_for("orders that are marked", lambda: any(row.provisional for row in trade.rows(deployment)))
            wait_for("capture to be back", lambda: healthy_capture(settings))
        rows = trade.wait_for_all(deployment)
    assert_replay_agrees(settings, deployment, trade, rows)

    assert any(row.revision > 1 for row in rows)
