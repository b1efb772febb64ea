"""Notifications on the real stack: the ids that a plain loop gives, also after a crash and in a topic replay."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from connectors.kafka import topics
from connectors.settings import Settings
from events import CustomerVersion, DeadLetter, Event, Notification
from local.simulator.outgoing import GOOD, Outgoing
from local.stack.supervisor import Stack
from ops.topics import apply as topic_operations
from tests.builders.events import customer, enriched_line, enriched_order, fraud_alert
from tests.e2e.deployment import Deployment, wait_for
from tests.reference_runs.notifications import DEFAULT, loop_over
from udfs.notifications.state import HOUR_MS

JOB = "notifications"
INPUTS = (topics.FRAUD_ALERTS, topics.ENRICHED_ORDERS, topics.CUSTOMER_CHANGES)
OUTPUTS = (topics.NOTIFICATIONS, topics.DEAD_LETTERS)
TOPICS: dict[type[Event], topics.Topic] = {topic.event: topic for topic in INPUTS}


def now_ms() -> int:
    return round(time.time() * 1000)


def zone_with_hour(hour: int) -> str:
    """Return a time zone in which it is now that hour."""
    offset = (hour - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}"


def sent(event: Event) -> Outgoing:
    topic = TOPICS[type(event)]
    key = str(getattr(event, topic.key)).encode()
    return Outgoing(topic, key, event.event_time, event.event_time, GOOD, event)


def bad_records(at_ms: int) -> list[Outgoing]:
    """Return one record of each source that is no event."""
    return [Outgoing(each, b"k", at_ms, at_ms, "bad", None, b"no event of " + each.name.encode()) for each in INPUTS]


def customers(name: str, number: int, at_ms: int, hour: int) -> list[CustomerVersion]:
    """Return customers in a time zone in which it is now that hour."""
    zone = zone_with_hour(hour)
    return [customer(f"{name}-{each}", event_time=at_ms, time_zone=zone) for each in range(number)]


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    return settings


def deployed(settings: Settings, name: str, like: Deployment | None = None) -> Deployment:
    """Return a group that has read nothing yet, or that begins where `like` began."""
    return Deployment(settings, name, like.begins_at if like else None, job=JOB, inputs=INPUTS, outputs=OUTPUTS)


@pytest.fixture
def deployment(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A job of the test's own, cancelled after the test."""
    deployment = deployed(settings, request.node.name)
    try:
        yield deployment
    finally:
        deployment.cancel()


def messages_of(deployment: Deployment) -> dict[str, Notification]:
    """Return the notifications by id; assert that a repeated one is the same."""
    found: dict[str, Notification] = {}
    for each in deployment.outputs().events[topics.NOTIFICATIONS.name]:
        assert isinstance(each, Notification)
        assert found.setdefault(each.event_id, each).payload == each.payload
    return found


def wait_for_messages(deployment: Deployment, expected: Iterable[Notification]) -> dict[str, Notification]:
    """Wait until exactly these notifications were emitted."""
    ids = {each.event_id for each in expected}
    try:
        wait_for("every message", lambda: messages_of(deployment).keys() >= ids)
    except TimeoutError as timeout:
        raise AssertionError(
            f"missing: {[each for each in expected if each.event_id not in messages_of(deployment)]}"
        ) from timeout
    found = messages_of(deployment)
    assert set(found) == ids
    return found


def reasons(deployment: Deployment) -> dict[bytes | None, str]:
    """Return the reasons of the dead letters, by payload."""
    letters = deployment.outputs().events[topics.DEAD_LETTERS.name]
    return {each.payload: each.reason for each in letters if isinstance(each, DeadLetter)}


def day(name: str, generator: random.Random) -> list[Event]:
    """Return events from five hours ago until two and a half hours ago, of customers in different times of day.

    For some it was afternoon, for others before eight in the morning until an hour ago, for others it is night.
    """
    now = now_ms()
    begin = now - 5 * HOUR_MS
    known = [
        each
        for place, hour in (("afternoon", 17), ("morning", 9), ("night", 5))
        for each in customers(f"{name}-{place}", 20, begin, hour)
    ]
    made: list[Event] = []
    for number in range(600):
        chosen = generator.choice(known).customer_id
        moment = begin + 1 + number * 150 * 60_000 // 600
        if number % 10 == 0:
            made.append(fraud_alert(f"{name}-a{number}", event_time=moment, card_id=chosen, customer_id=chosen))
        else:
            order = enriched_order(f"{name}-o{number}", event_time=moment, customer_id=chosen)
            made += [order] * (2 if number % 20 == 1 else 1)
    return [*known, *made]


@pytest.mark.full
def test_notifications_and_their_topic_replay_equal_a_plain_loop(deployment: Deployment, settings: Settings) -> None:
    events = day("day", random.Random(5))
    expected = loop_over(DEFAULT, events, until=now_ms() - HOUR_MS // 2)
    deployment.publish([*map(sent, events), *bad_records(now_ms())])
    deployment.start()
    first = wait_for_messages(deployment, expected)
    deployment.wait_until_all_is_read()
    deployment.stop()

    replay = deployed(settings, "day-replay", like=deployment)
    try:
        replay.start()
        again = wait_for_messages(replay, expected)
    finally:
        replay.cancel()

    assert first == {each.event_id: each for each in expected} == again
    assert {each.template for each in expected} == {"fraud_warning", "order_confirmation", "digest"}
    in_turn = [each for each in expected if each.template != "fraud_warning"]
    assert not [each for each in in_turn if "-night-" in each.recipient]
    mornings = [each for each in in_turn if "-morning-" in each.recipient]
    assert mornings
    assert all("quiet hours, 22:00 to 08:00" in each.reason for each in mornings)
    bad = {b"no event of " + each.name.encode() for each in INPUTS}
    assert set(reasons(deployment)) == bad == set(reasons(replay))


def wave(name: str, known: Sequence[CustomerVersion], number: int) -> list[Event]:
    """Return an order of each of some customers just now, and a fraud alert of every third."""
    now = now_ms()
    orders: list[Event] = [
        enriched_order(f"{name}-o{number}-{each.customer_id}", event_time=now + i, customer_id=each.customer_id)
        for i, each in enumerate(known)
    ]
    alerts: list[Event] = [
        fraud_alert(f"{name}-a{number}-{each.customer_id}", event_time=now + i, customer_id=each.customer_id)
        for i, each in enumerate(known[number % 3 :: 3])
    ]
    return [*orders, *alerts]


@pytest.mark.full
def test_killed_taskmanager_loses_and_adds_no_notification(deployment: Deployment, stack: Stack) -> None:
    known = customers("killed", 300, now_ms(), hour=15)
    deployment.start(options={"parallelism.default": "2"})
    events: list[Event] = [*known, *wave("killed", known, 0)]
    deployment.publish([*map(sent, events), *bad_records(now_ms())])
    deployment.wait_for_checkpoints()

    events += (second := wave("killed", known, 1))
    deployment.publish([*map(sent, second)])
    taskmanager = deployment.taskmanager()
    stack.kill(taskmanager)
    events += (third := wave("killed", known, 2))
    deployment.publish([*map(sent, third)])
    stack.start(taskmanager)
    expected = loop_over(DEFAULT, events)
    found = wait_for_messages(deployment, expected)

    assert deployment.restarts() >= 1
    assert {each.event_id: each.payload for each in found.values()} == {
        each.event_id: each.payload for each in expected
    }
    assert set(reasons(deployment)) == {b"no event of " + each.name.encode() for each in INPUTS}


@pytest.mark.full
def test_event_on_a_quiet_topic_is_notified_without_a_following_event(deployment: Deployment) -> None:
    deployment.start()
    [known] = customers("quiet", 1, now_ms(), hour=15)
    unnamed, named = (enriched_line(name=None),), (enriched_line(name="A lamp"),)
    incomplete = enriched_order("quiet", event_time=now_ms(), customer_id="quiet-0", complete=False, lines=unnamed)

    deployment.publish([sent(known), sent(incomplete)])
    wait_for("the confirmation", lambda: len(messages_of(deployment)) == 1)
    deployment.publish(
        [
            sent(
                enriched_order(
                    "quiet", event_time=incomplete.event_time, customer_id="quiet-0", revision=2, lines=named
                )
            )
        ]
    )
    wait_for("what was missing", lambda: len(messages_of(deployment)) == 2)

    assert [(each.payload[0].kind, each.payload[0].details) for each in messages_of(deployment).values()] == [
        ("order_confirmed", ("2 p1",)),
        ("order_completed", ("2 A lamp",)),
    ]
