"""Records of the simulated payment service, and the faults that are applied to them."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import groupby, islice, pairwise

import msgspec
import pytest

from connectors.kafka.topics import ORDERS, PAYMENTS
from events import Order, Payment
from local.simulator import order_service
from local.simulator.faults import BAD_KINDS, Faults
from local.simulator.order_service import OrderOptions
from local.simulator.outgoing import Outgoing
from local.simulator.payment_service import PaymentOptions, generate, publish
from local.simulator.payments.fraud_patterns import PATTERNS
from local.simulator.publisher import InvalidEventError, checked_value
from local.simulator.world.places import distance_km
from local.simulator.world.timetable import OptionsError
from tests.builders.events import event_time, payment

START_MS = event_time("06:00:00")
DAY_MS = 86_400_000
CALM = PaymentOptions(start_ms=START_MS, rate=0.5, seconds=6_000, history_hours=4, fraud_share=0.02)
FAULTS = Faults(duplicates=0.05, out_of_order_seconds=3, late=0.02, bad=0.05)


@cache
def calm() -> tuple[Outgoing, ...]:
    """Return a run of 3,000 payments and a history, without faults."""
    return tuple(generate(CALM))


@cache
def disturbed() -> tuple[Outgoing, ...]:
    """Return the same run with every fault, and orders."""
    return tuple(generate(replace(CALM, faults=FAULTS, orders_rate=0.1)))


@cache
def whole_day() -> tuple[Outgoing, ...]:
    """Return 8,640 payments from midnight to midnight."""
    return tuple(generate(PaymentOptions(start_ms=event_time("00:00:00"), rate=0.1, seconds=86_400, history_hours=0)))


def paid(records: tuple[Outgoing, ...]) -> list[Payment]:
    """Return the payments among the records, in the order in which they were sent."""
    return [record.event for record in records if isinstance(record.event, Payment)]


def by_card(payments: list[Payment]) -> dict[str, list[Payment]]:
    """Return each card's payments in order of event time."""
    ordered = sorted(payments, key=lambda event: (event.card_id, event.event_time))
    return {card: list(events) for card, events in groupby(ordered, key=lambda event: event.card_id)}


def most_kmh(records: tuple[Outgoing, ...]) -> float:
    """Return the highest speed of any card between two honest payments."""
    honest = paid(tuple(record for record in records if record.pattern is None))
    return max(
        distance_km(one.latitude, one.longitude, other.latitude, other.longitude)
        / max((other.event_time - one.event_time) / 3_600_000, 1e-9)
        for events in by_card(honest).values()
        for one, other in pairwise(events)
    )


def test_same_options_give_the_same_records_byte_for_byte():
    # when
    again = generate(replace(CALM, faults=FAULTS, orders_rate=0.1))

    # then
    assert [(record.topic, record.key, record.timestamp_ms, record.send_at_ms, record.value()) for record in again] == [
        (record.topic, record.key, record.timestamp_ms, record.send_at_ms, record.value()) for record in disturbed()
    ]


def test_another_seed_or_another_start_gives_other_payments():
    # given
    ids = {event.payment_id for event in paid(calm())}

    # when
    others = [replace(CALM, seed=8), replace(CALM, start_ms=START_MS + 1)]

    # then
    for options in others:
        assert ids.isdisjoint(event.payment_id for event in paid(tuple(islice(generate(options), 100))))


def test_run_has_the_requested_number_of_payments_and_ends_in_time():
    # when
    run = [event for event in paid(calm()) if event.event_time >= START_MS]
    history = [event for event in paid(calm()) if event.event_time < START_MS]

    # then
    assert 3_000 <= len(run) <= 3_010  # the history's last visits may be paid for twice
    assert max(event.event_time for event in run) <= START_MS + 6_000_000
    assert min(event.event_time for event in history) >= START_MS - 4 * 3_600_000


def test_number_of_payments_without_history_is_exact():
    assert sum(1 for _ in generate(replace(CALM, history_hours=0))) == 3_000


def test_rate_follows_the_hours_of_the_day():
    # when
    hours = Counter(record.timestamp_ms // 3_600_000 % 24 for record in whole_day())

    # then
    assert hours.total() == 8_640
    assert sum(hours[hour] for hour in (11, 12, 16, 17)) > 3 * sum(hours[hour] for hour in (0, 1, 2, 3))


def test_run_without_an_end_continues_at_its_rate():
    # when
    records = list(islice(generate(replace(CALM, rate=10, seconds=0, history_hours=0, fraud_share=0)), 500))

    # then
    assert records[-1].timestamp_ms - START_MS == pytest.approx(50_000, abs=2_000)


def test_every_event_passes_its_type_and_its_schema():
    for record in disturbed():
        if record.event is not None:
            assert checked_value(record.event) == record.value()


def test_records_have_the_topics_key_and_the_event_time_as_timestamp():
    for record in disturbed():
        assert record.topic in {PAYMENTS, ORDERS}
        if record.event is not None:
            assert record.key.decode() == getattr(record.event, record.topic.key)
            assert record.timestamp_ms == record.event.event_time


def test_all_patterns_are_planted_with_the_requested_share():
    # given
    incidents = {record.incident_id: record.pattern for record in calm() if record.incident_id}

    # then
    assert set(incidents.values()) == {pattern.name for pattern in PATTERNS}
    assert sum(record.pattern is not None for record in calm()) == pytest.approx(0.02 * 3_000, abs=16)


def test_honest_customers_are_never_in_two_places_at_once():
    assert most_kmh(calm()) < 700
    assert most_kmh(whole_day()) < 700
    assert most_kmh(disturbed()) < 700


def test_honest_customers_sometimes_do_unusual_things():
    # given
    honest = paid(tuple(record for record in whole_day() if record.pattern is None))
    cards = by_card(honest)

    # then
    gaps = [later.event_time - earlier.event_time for events in cards.values() for earlier, later in pairwise(events)]
    assert 0.005 < sum(gap < 60_000 for gap in gaps) / len(gaps) < 0.1
    assert any(len({event.country for event in events}) > 1 for events in cards.values())
    assert any(event.base_amount_minor > 500_00 for event in honest)
    assert 0.01 < sum(event.status == "declined" for event in honest) / len(honest) < 0.03


def test_faults_do_not_change_the_payments_themselves():
    # given
    skewed = replace(CALM, faults=Faults(bad=0.1, duplicates=0.1, out_of_order_seconds=5))

    # when
    good = {record.event for record in generate(skewed) if record.kind == "good"}

    # then
    assert good == {record.event for record in calm()}


def test_faults_have_their_shares():
    # given
    payments = [record for record in disturbed() if record.topic is PAYMENTS]
    kinds = Counter(record.kind for record in payments)
    bad = [number for kind, number in kinds.items() if kind.startswith("bad:")]

    # then
    base = kinds["good"] + kinds["late"]
    assert kinds["duplicate"] / base == pytest.approx(0.05, abs=0.015)
    assert sum(bad) / base == pytest.approx(0.05, abs=0.015)
    assert kinds["late"] / 3_000 == pytest.approx(0.02, abs=0.01)
    assert len(bad) == len(BAD_KINDS)
    assert max(bad) - min(bad) <= 2


def test_disorder_of_records_that_are_not_late_is_bounded():
    # given
    payments = [record for record in disturbed() if record.topic is PAYMENTS and record.event is not None]

    # when
    newest, disorders, lateness = 0, [], []
    for record in payments:
        (lateness if record.kind == "late" else disorders).append(newest - record.timestamp_ms)
        newest = max(newest, record.timestamp_ms)

    # then
    assert 0 < max(disorders) <= 3_000
    assert min(lateness) > 3_000
    assert {late > DAY_MS for late in lateness} == {True, False}


def test_payments_of_some_cards_are_out_of_order():
    # given
    newest: dict[str, int] = {}

    # when
    swapped = 0
    for event in (record.event for record in disturbed() if record.kind == "good"):
        if isinstance(event, Payment):
            swapped += event.event_time < newest.get(event.card_id, 0)
            newest[event.card_id] = max(newest.get(event.card_id, 0), event.event_time)

    # then
    assert swapped > 0


def test_some_late_payments_are_a_day_behind_their_card():
    # given
    newest: dict[str, int] = {}

    # when
    behind = []
    for record in disturbed():
        if isinstance(record.event, Payment):
            card = record.event.card_id
            if record.kind == "late" and card in newest:
                behind.append(newest[card] - record.timestamp_ms)
            newest[card] = max(newest.get(card, 0), record.timestamp_ms)

    # then
    assert sum(milliseconds > DAY_MS for milliseconds in behind) >= len(behind) // 5


def test_duplicate_is_the_same_payment_with_another_event_id_later():
    # given
    sent: dict[str, Outgoing] = {}
    duplicates = 0

    # when
    for record in disturbed():
        if not isinstance(record.event, Payment):
            continue
        if record.kind == "duplicate":
            duplicates += 1
            original = sent[record.event.payment_id]
            assert isinstance(original.event, Payment)
            assert record.event.event_id != original.event.event_id
            assert 0 < record.timestamp_ms - original.timestamp_ms <= 5_000
            same = msgspec.structs.replace(
                record.event, event_id=original.event.event_id, event_time=original.event.event_time
            )
            assert same == original.event
        else:
            sent[record.event.payment_id] = record

    # then
    assert duplicates > 0


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_bad_record_of_each_kind_is_no_event(kind):
    # given
    bad = [record for record in disturbed() if record.kind == f"bad:{kind}"]

    # then
    assert bad
    for record in bad:
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            msgspec.json.decode(record.value(), type=Payment if record.topic is PAYMENTS else Order)


def test_bad_record_is_bad_as_its_kind_describes():
    # given
    values: dict[str, list[bytes]] = {}
    for record in disturbed():
        if record.event is None and record.topic is PAYMENTS:
            values.setdefault(record.kind.removeprefix("bad:"), []).append(record.value())

    # then
    assert set(values["empty"]) == {b""}
    assert all(value.startswith(b"{") and not value.endswith(b"}") for value in values["truncated"])
    assert all(not isinstance(json.loads(value)["amount_minor"], float) for value in values["wrong_type"])
    assert all(len(json.loads(value)) == len(Payment.__struct_fields__) - 1 for value in values["missing_field"])
    for value in values["not_utf8"]:
        with pytest.raises(UnicodeDecodeError):
            value.decode()


def test_wrong_clock_shifts_all_timestamps_and_nothing_else():
    # given
    ahead = replace(CALM, seconds=600, faults=Faults(clock_skew_seconds=400))

    # when
    skewed, right = list(generate(ahead)), list(generate(replace(CALM, seconds=600)))

    # then
    assert [record.timestamp_ms - 400_000 for record in skewed] == [record.timestamp_ms for record in right]
    assert [record.send_at_ms for record in skewed] == [record.send_at_ms for record in right]


def test_orders_are_paid_by_their_customer_mostly_within_a_minute():
    # given
    orders = {record.event.order_id: record.event for record in disturbed() if isinstance(record.event, Order)}
    payments = {event.order_id: event for event in paid(disturbed()) if event.order_id is not None}

    # when
    delays = [event.event_time - orders[order_id].event_time for order_id, event in payments.items()]

    # then
    assert 0.85 < len(payments) / len(orders) < 1
    assert sum(delay < 60_000 for delay in delays) > 0.75 * len(delays)
    assert max(delays) > 60_000
    for order_id, event in payments.items():
        assert (event.amount_minor, event.currency, event.customer_id) == (
            orders[order_id].total_minor,
            orders[order_id].currency,
            orders[order_id].customer_id,
        )


def test_order_total_is_the_sum_of_its_lines():
    # when
    orders = [record.event for record in order_service.generate(OrderOptions(start_ms=START_MS, rate=2, seconds=60))]

    # then
    assert len(orders) == 120
    for order in orders:
        assert isinstance(order, Order)
        assert order.total_minor == sum(line.quantity * line.unit_price_minor for line in order.lines)
        assert [line.line_number for line in order.lines] == list(range(1, len(order.lines) + 1))


def test_event_that_violates_its_schema_is_not_sent():
    with pytest.raises(InvalidEventError, match="amount_minor"):
        checked_value(msgspec.structs.replace(payment(), amount_minor=-1))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate": 0}, "not a run"),
        ({"cards": 10}, "450 are needed"),
        ({"fraud_share": 0.9}, "share of fraud"),
    ],
)
def test_invalid_options_are_refused(options, reason):
    with pytest.raises(OptionsError, match=reason):
        replace(CALM, **options)


@pytest.mark.parametrize("faults", [{"bad": 1.1}, {"late": -0.1}, {"out_of_order_seconds": -1}])
def test_invalid_faults_are_refused(faults):
    with pytest.raises(OptionsError):
        Faults(**faults)


@pytest.mark.parametrize(
    ("start", "reason"), [("2020-01-01T00:00:00Z", "deleted after 30 days"), ("2100-01-01T00:00:00Z", "future")]
)
def test_run_whose_records_kafka_would_not_keep_is_refused(start, reason):
    with pytest.raises(OptionsError, match=reason):
        publish(replace(CALM, start_ms=event_time(start)), "127.0.0.1:1", speed=0)


def test_event_ids_are_unique():
    # when
    ids = [record.event.event_id for record in disturbed() if record.event is not None]

    # then
    assert len(set(ids)) == len(ids)
