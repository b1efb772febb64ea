"""Decisions held against `local/oracles/notifications.py`, and properties that hold for any order of arrival."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kafka.topics import MINUTE_MS
from events import CustomerVersion, EnrichedOrder
from local.oracles import notifications as oracle
from local.oracles.notifications import Expected
from tests.builders.events import customer, enriched_order, event_time
from tests.reference_runs.notifications import DEFAULT, Inbox, alert, incomplete_order, known, order, source_record
from udfs.notifications.contacts import Contact
from udfs.notifications.input import contact, order_event
from udfs.notifications.notification_policy import Policy, QuietHours
from udfs.notifications.state import HOUR_MS, NOBODY, RECIPIENT_STATE, RecipientEvent

START = event_time("12:00:00")
MINUTES = 3 * 24 * 60
"""Length of the time from START on after which no event waits any more."""
MOMENTS = st.one_of(st.integers(0, 90), st.integers(0, 30 * 60)).map(lambda minute: START + minute * MINUTE_MS)
POLICIES = st.builds(
    lambda limit, quiet, wait: msgspec.structs.replace(
        DEFAULT, messages_per_hour=limit, quiet_hours=quiet, wait_for_customer_hours=wait
    ),
    st.integers(1, 3),
    st.sampled_from([None, QuietHours(begin="22:00", end="08:00"), QuietHours(begin="12:30", end="13:15")]),
    st.sampled_from([1, 24]),
)


@dataclass(frozen=True)
class World:
    """All versions and orders of one recipient."""

    policy: Policy
    customers: list[CustomerVersion]
    orders: list[EnrichedOrder]

    def inputs(self) -> list[RecipientEvent | Contact]:
        """Return versions and orders by event time."""
        contacts = [contact(source_record(version)) for version in self.customers]
        return sorted([*contacts, *(order_event(source_record(each)) for each in self.orders)], key=time_of)


def time_of(each: RecipientEvent | Contact) -> int:
    return each.valid_from if isinstance(each, Contact) else each.happened_at


@st.composite
def worlds(draw: st.DrawFn) -> World:
    zone = draw(st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/New_York"]))
    moments = sorted(draw(st.lists(MOMENTS, max_size=4)) + ([START] if draw(st.booleans()) else []))
    customers = [
        customer(
            event_time=moment,
            lsn=lsn,
            email=f"{lsn}@example.org",
            time_zone=zone,
            notifications_opt_out=draw(st.integers(0, 3)) == 0,
            deleted=draw(st.integers(0, 5)) == 0,
        )
        for lsn, moment in enumerate(moments, start=1)
    ]
    times = draw(st.lists(MOMENTS, max_size=14))
    orders = [enriched_order(f"o{n:02}", event_time=moment) for n, moment in enumerate(times)]
    return World(draw(POLICIES), customers, orders)


def outcome_of(inbox: Inbox) -> Expected:
    return Expected(
        sorted(
            (each.event_time, each.address, frozenset(occasion.occasion_id for occasion in each.payload))
            for each in inbox.messages
        ),
        inbox.dropped,
        sorted(record.payload.decode() for record, _ in inbox.rejected if record.payload),
    )


def run(world: World, arrivals: Sequence[RecipientEvent | Contact], restarts: bool = False) -> Inbox:
    """Process arrivals in this order, with the greatest watermark for which none of them is late."""
    inbox = Inbox(world.policy)
    for number, each in enumerate(arrivals):
        inbox.until(max(inbox.now, min(map(time_of, arrivals[number:])) - 1))
        if restarts:
            inbox.recipient = RECIPIENT_STATE.decode(RECIPIENT_STATE.encode(inbox.recipient))
        inbox.take(each)
    inbox.until(START + MINUTES * MINUTE_MS)
    return inbox


@settings(max_examples=200)
@given(worlds(), st.randoms(use_true_random=False))
def test_messages_in_any_order_of_arrival_equal_those_of_the_oracle(world: World, shuffling: object) -> None:
    expected = oracle.expected(world.policy, world.customers, world.orders, START, START + MINUTES * MINUTE_MS)
    arrivals = world.inputs()
    shuffling.shuffle(arrivals)  # type: ignore[attr-defined]

    inbox = run(world, arrivals)

    found = outcome_of(inbox)
    assert found.messages == sorted(expected.messages)
    assert len(found.dropped) == len(expected.dropped)
    assert len(found.rejected) == len(expected.rejected)


@given(worlds(), st.randoms(use_true_random=False))
def test_neither_the_order_of_arrival_nor_a_restart_changes_a_byte(world: World, shuffling: object) -> None:
    arrivals = world.inputs()
    in_order = run(world, arrivals).messages
    shuffling.shuffle(arrivals)  # type: ignore[attr-defined]

    assert run(world, arrivals, restarts=True).messages == in_order


ANYTHING = st.one_of(
    st.builds(lambda n, at: order(f"o{n}", event_time=at), st.integers(0, 9), MOMENTS),
    st.builds(lambda n, at: order(f"i{n}", event_time=at, revision=2), st.integers(0, 4), MOMENTS),
    st.builds(lambda n: incomplete_order(f"i{n}"), st.integers(0, 4)),
    st.builds(lambda n, at: alert(f"case-{n}", event_time=at), st.integers(0, 4), MOMENTS),
    st.builds(
        lambda lsn, at, out, gone: known(event_time=at, lsn=lsn, notifications_opt_out=out, deleted=gone),
        st.integers(1, 9),
        MOMENTS,
        st.booleans(),
        st.integers(0, 9).map(lambda number: number == 0),
    ),
)
STEPS = st.lists(st.tuples(ANYTHING, st.integers(0, 200)), max_size=40)


@settings(max_examples=200)
@given(POLICIES, STEPS)
def test_late_or_repeated_events_respect_limits_and_none_is_lost(
    policy: Policy, steps: list[tuple[RecipientEvent | Contact, int]]
) -> None:
    inbox = Inbox(policy)
    now = START
    for each, minutes in steps:
        now += minutes * MINUTE_MS
        inbox.until(now)
        inbox.take(each)
    inbox.until(now + (policy.remembered_hours + 200) * HOUR_MS)

    limited = [each for each in inbox.messages if each.template != "fraud_warning"]
    times = [each.event_time for each in limited]
    for moment in times:
        assert sum(moment - HOUR_MS < other <= moment for other in times) <= policy.messages_per_hour
    assert not any(oracle.is_quiet(policy.quiet_hours, "Europe/Berlin", each.event_time) for each in limited)
    occasions = Counter((occasion.kind, occasion.subject_id) for each in limited for occasion in each.payload)
    assert max(occasions.values(), default=0) <= 1
    events = sum(isinstance(each, RecipientEvent) for each, _ in steps)
    sent = sum(len(each.payload) for each in inbox.messages)
    completed = events - sent - len(inbox.dropped) - len(inbox.rejected)
    assert 0 <= completed <= sum(isinstance(each, RecipientEvent) and each.revision == 2 for each, _ in steps)
    assert msgspec.structs.replace(inbox.recipient, contacts=()) == NOBODY


@given(worlds())
def test_time_in_one_step_or_in_many_gives_the_same_messages(world: World) -> None:
    at_once, stepwise = Inbox(world.policy), Inbox(world.policy)
    for inbox in (at_once, stepwise):
        inbox.take(*world.inputs())

    stepwise.until(START + MINUTES * MINUTE_MS)
    for inbox in (at_once, stepwise):
        inbox.pass_time(START + MINUTES * MINUTE_MS)

    assert (at_once.messages, at_once.recipient) == (stepwise.messages, stepwise.recipient)
