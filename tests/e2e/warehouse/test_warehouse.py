"""The warehouse on the real stack: also after crashes its tables are those of the reference."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg
import pytest
import requests

from connectors.kafka import topics
from connectors.postgres.client import connecting
from connectors.settings import Settings
from events import Event
from jobs import warehouse
from local.oracles import warehouse as oracle
from local.simulator.outgoing import Outgoing
from local.stack.supervisor import Stack
from ops.topics import apply as topic_operations
from ops.warehouse import database as warehouse_operations
from ops.warehouse.figures import figures
from tests.builders import warehouse_world
from tests.e2e.deployment import Deployment, wait_for
from tests.services.warehouse_content import read_content

INPUTS = (
    topics.CUSTOMER_CHANGES,
    topics.PRODUCT_CHANGES,
    topics.ENRICHED_ORDERS,
    topics.PAYMENTS,
    topics.FRAUD_ALERTS,
    topics.REVENUE,
)
OUTPUTS = (topics.DEAD_LETTERS,)
RATE = 1000.0
"""Events a second, under load."""


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics and a warehouse."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    warehouse_operations.migrate(settings)
    return settings


@pytest.fixture
def deployment(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A job of the test's own, cancelled after the test, and an empty warehouse."""
    with connecting(warehouse_operations.address(settings), statement_seconds=30) as connection:
        connection.execute("TRUNCATE " + ", ".join(f"warehouse.{target}" for target in warehouse.TARGETS))
    name = request.node.name.removeprefix("test_")
    deployment = Deployment(settings, name, job=warehouse.JOB, inputs=INPUTS, outputs=OUTPUTS)
    try:
        yield deployment
    finally:
        deployment.cancel()


def world(name: str, size: int, seed: int) -> list[Event]:
    """Return events up to now."""
    return warehouse_world.events(name, size, seed, start_ms=round(time.time() * 1000) - 10 * size)


def outgoings(events: Sequence[Event]) -> list[Outgoing]:
    """Return the events and some bytes that are none, to be sent one after the other at `RATE`."""
    sent = [warehouse_world.outgoing(event) for event in events]
    now = round(time.time() * 1000)
    for topic in INPUTS:
        sent.insert(len(sent) // 2, warehouse_world.bad_record(topic, now, b"no event of " + topic.name.encode()))
    return [replace(each, send_at_ms=now + round(1000 * number / RATE)) for number, each in enumerate(sent)]


def payments_loaded(settings: Settings) -> int:
    with connecting(warehouse_operations.address(settings), statement_seconds=30) as connection:
        [[count]] = connection.execute("SELECT count(*) FROM warehouse.fact_payment")
        return int(count)


def assert_holds(settings: Settings, events: Sequence[Event]) -> None:
    """Assert that the tables hold exactly the rows of the reference."""
    expected = oracle.expected(events)
    with connecting(warehouse_operations.address(settings), statement_seconds=60) as connection:
        found = read_content(connection)
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert figures(settings).orders_without_all_lines == 0


def assert_rejected(deployment: Deployment) -> None:
    """Assert one dead letter for each topic: that of the record that is no event."""
    letters = {each.event_id: each.payload for each in deployment.outputs().dead_letters()}
    assert sorted(payload or b"" for payload in letters.values()) == sorted(
        b"no event of " + topic.name.encode() for topic in INPUTS
    )


@pytest.mark.full
def test_killed_postgresql_under_load_loses_no_row(
    deployment: Deployment, settings: Settings, stack: Stack, outage_seconds: float
) -> None:
    events = world("postgres", 15_000, seed=1)
    deployment.start()

    with deployment.load(outgoings(events)):
        wait_for("rows in the warehouse", lambda: payments_loaded(settings) > 1000)
        stack.kill("postgres")
        killed = time.monotonic()
        wait_for(
            "PostgreSQL to have been unavailable for long", lambda: time.monotonic() > killed + outage_seconds, 150
        )
        stack.start("postgres")
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() >= 2
    assert [status.fault for status in stack.status() if status.fault] == []
    assert_holds(settings, events)
    assert_rejected(deployment)


@pytest.mark.full
def test_killed_taskmanager_under_load_loses_no_row(deployment: Deployment, settings: Settings, stack: Stack) -> None:
    events = world("taskmanager", 6_000, seed=2)
    deployment.start(options={"parallelism.default": "2"})

    with deployment.load(outgoings(events)):
        wait_for("rows in the warehouse", lambda: payments_loaded(settings) > 1000)
        taskmanager = deployment.taskmanager()
        stack.kill(taskmanager)
        stack.start(taskmanager)
    deployment.wait_until_running()
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() >= 1
    assert_holds(settings, events)
    assert_rejected(deployment)


@pytest.mark.full
def test_topic_replay_while_new_events_arrive_changes_no_row(deployment: Deployment, settings: Settings) -> None:
    events = world("replay", 2_000, seed=3)
    deployment.start()
    deployment.publish(outgoings(events))
    deployment.wait_until_all_is_read()
    more = world("more", 1_000, seed=4)

    replay = Deployment(
        settings, "replays", begin_at=deployment.begins_at, job=warehouse.JOB, inputs=INPUTS, outputs=OUTPUTS
    )
    try:
        replay.start()
        deployment.publish([warehouse_world.outgoing(event) for event in more])
        replay.wait_until_all_is_read()
        replay.stop()
    finally:
        replay.cancel()
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert_holds(settings, events + more)


@pytest.mark.full
def test_password_is_on_no_web_page_and_in_no_log(
    settings: Settings, stack: Stack, request: pytest.FixtureRequest
) -> None:
    password = "seen-wherever-it-is-shown"
    with psycopg.connect(
        settings.warehouse_url, user=settings.warehouse_user, password=settings.warehouse_password
    ) as c:
        c.execute(f"ALTER ROLE {settings.warehouse_user} PASSWORD '{password}'".encode())
    changed = replace(settings, warehouse_password=password)
    deployment = Deployment(changed, request.node.name, job=warehouse.JOB, inputs=INPUTS, outputs=OUTPUTS)
    try:
        deployment.start()
        with connecting(warehouse_operations.address(changed), statement_seconds=30) as connection:
            connection.execute(
                f"ALTER ROLE {settings.warehouse_user} PASSWORD '{settings.warehouse_password}'".encode()
            )
        job = f"{settings.flink_rest_url.rstrip('/')}/jobs/{deployment.job_id}"
        deployment.publish([warehouse_world.outgoing(event) for event in world("password", 10, seed=5)])
        stack.kill("postgres")
        wait_for("the job to fail", lambda: deployment.restarts() >= 1)
        stack.start("postgres")
        wait_for(
            "its password to be refused",
            lambda: "authentication failed" in requests.get(f"{job}/exceptions", timeout=10).text,
        )
        pages = [requests.get(f"{job}{page}", timeout=10).text for page in ("", "/plan", "/config", "/exceptions")]
    finally:
        deployment.cancel()

    logs = [file.read_text(errors="replace") for file in stack.setup.state.rglob("log/*")]
    assert "MILLRACE_WAREHOUSE_URL" in pages[2]
    assert all(password not in text for text in pages + logs)
