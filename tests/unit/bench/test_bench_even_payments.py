"""Payments for the measurement of growth: every card has its number of payments, and exactly the bursts alert."""

from collections import Counter, deque
from itertools import pairwise

import msgspec
import pytest

from connectors.kafka.topics import PAYMENTS
from events import Payment
from tests.bench.contenders.peer_logic import default_ruleset
from tests.bench.payments.even import BURST, DAY_MS, Record, Shape
from tests.bench.payments.expected_alerts import expected_alerts
from tests.bench.payments.rulesets import ruleset_of
from udfs.fraud.features import payment_features
from udfs.fraud.rules import Rules

END_MS = 1_760_000_000_000
CROWDED = Shape(cards=5, day_events=1_000, measured=1_000, bursts=8)
"""Each card has a payment every 86 seconds: six or seven within ten minutes."""
SPARSE = Shape(cards=200, day_events=3, measured=900, bursts=7)


def payment(record: Record) -> Payment:
    """Decode a payment as a reader does."""
    return msgspec.json.decode(record.value, type=Payment)


@pytest.mark.parametrize("shape", [CROWDED, SPARSE])
def test_each_warm_card_has_its_number_of_payments_in_any_24_hours(shape: Shape) -> None:
    days: dict[bytes, deque[int]] = {}

    for number, record in enumerate(shape.records(END_MS)):
        day = days.setdefault(record.key, deque())
        day.append(record.time)
        while day[0] <= record.time - DAY_MS:
            day.popleft()
        if number >= shape.payments * shape.warm_share and not record.key.startswith(b"burst"):
            assert len(day) == shape.day_events

    assert len(days) == shape.cards + shape.bursts


@pytest.mark.parametrize("shape", [CROWDED, SPARSE])
def test_records_have_the_requested_number_in_order_of_time(shape: Shape) -> None:
    records = list(shape.records(END_MS))

    times = [record.time for record in records]
    assert len(records) == shape.payments
    assert times == sorted(times)
    assert END_MS - DAY_MS < times[-1] <= END_MS
    assert len({payment(record).payment_id for record in records}) == shape.payments


def test_records_are_like_those_of_the_payment_service() -> None:
    for record in SPARSE.records(END_MS):
        sent = payment(record)

        assert (sent.card_id.encode(), sent.event_time) == (record.key, record.time)
        assert sent.event_id == f"{sent.payment_id}-1"
        assert 400 < len(record.value) < 550


def test_card_stays_in_one_partition_and_partitions_have_equal_shares() -> None:
    partitions = {(record.key, record.partition) for record in SPARSE.records(END_MS)}

    assert len(partitions) == SPARSE.cards + SPARSE.bursts
    shares = Counter(partition for _, partition in partitions)
    assert len(shares) == PAYMENTS.partitions
    assert max(shares.values()) - min(shares.values()) <= 1


def test_bursts_are_those_among_the_records() -> None:
    among = [payment(record) for record in SPARSE.records(END_MS) if record.key.startswith(b"burst")]

    assert list(SPARSE.bursting(END_MS)) == among
    assert len(among) == SPARSE.bursts * BURST


def test_bursts_are_spread_evenly_and_the_last_one_ends_the_topic() -> None:
    numbered = enumerate(SPARSE.records(END_MS), start=1)
    ends = [number for number, record in numbered if record.key.startswith(b"burst")][BURST - 1 :: BURST]

    gaps = [after - before for before, after in pairwise([0, *ends])]
    assert max(gaps) - min(gaps) <= 1
    assert ends[-1] == SPARSE.payments


@pytest.mark.parametrize("shape", [CROWDED, SPARSE])
@pytest.mark.parametrize("number", [1, 10, 100])
def test_each_burst_alerts_once_and_nothing_else_with_any_rules(shape: Shape, number: int) -> None:
    judge = Rules(ruleset_of(default_ruleset(), number, version=3), payment_features(), "EUR")

    alerts = expected_alerts((payment(record) for record in shape.records(END_MS)), judge)

    assert alerts == expected_alerts(shape.bursting(END_MS), judge)
    assert len({alert.card_id for alert in alerts.values()}) == len(alerts) == shape.bursts
    assert {alert.ruleset_version for alert in alerts.values()} == {3}


@pytest.mark.parametrize("number", [1, 10, 55, 100])
def test_rules_are_different_and_of_the_requested_number(number: int) -> None:
    found = ruleset_of(default_ruleset(), number, version=1)

    assert len({(rule.when, rule.function) for rule in found.rules}) == number
    assert "velocity_burst" in {rule.name for rule in found.rules}


def test_unsupported_number_of_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="no 109 rules: there are 1, or 8 to 108"):
        ruleset_of(default_ruleset(), 109, version=1)
