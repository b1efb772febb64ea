"""The payments that all contenders read: written once, and the alerts that must come of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from msgspec.structs import replace

from connectors.kafka.topics import PAYMENTS
from events import FraudAlert, Payment
from local.simulator.payment_service import PaymentOptions, generate
from tests.bench.contenders.peer_logic import Card, alert, rules
from tests.bench.payments.even import BY_KEY, Record
from udfs.fraud.alerts import Case
from udfs.fraud.rules import Rules

SECONDS_BETWEEN_PAYMENTS = 10_000
"""Of one card, in the mean: nine payments a day. With many more, honest customers hop devices all day."""
CLOSING_AFTER_MS = 60_000


def payments(number: int, cards: int, end_ms: int) -> Iterator[Payment]:
    """Simulated ones in the order of their times up to the end, with fraud among them, none twice."""
    rate = cards / SECONDS_BETWEEN_PAYMENTS
    seconds = number / rate
    start_ms = end_ms - round(seconds * 1000)
    options = PaymentOptions(start_ms=start_ms, rate=rate, seconds=seconds, cards=cards, history_hours=0)
    for outgoing in islice(generate(options), number):
        assert isinstance(outgoing.event, Payment)
        yield outgoing.event


def records(payments: Iterable[Payment]) -> Iterator[Record]:
    """Keyed by card, with their event times; at the end one for each partition that closes it.

    The closing one, of a card of its own, is so much later that the watermark passes all the others.
    """
    encode = msgspec.json.Encoder().encode
    for payment in payments:
        yield Record(BY_KEY, payment.card_id.encode(), encode(payment), payment.event_time)
    for partition in range(PAYMENTS.partitions):
        name = f"closing-{partition}"
        last = replace(
            payment, event_id=name, payment_id=name, card_id=name, event_time=payment.event_time + CLOSING_AFTER_MS
        )
        yield Record(partition, name.encode(), encode(last), last.event_time)


def expected_alerts(payments: Iterable[Payment], judge: Rules | None = None) -> dict[str, FraudAlert]:
    """By id; those that open or escalate a case, since when one closes depends on the watermark.

    Args:
        judge: unless the default rules do.
    """
    judge = judge or rules()
    cards: defaultdict[str, Card] = defaultdict(Card)
    cases: defaultdict[str, tuple[Case, ...]] = defaultdict(tuple)
    found = {}
    for payment in payments:
        card = payment.card_id
        cases[card], raised = alert(judge, payment, cards[card].features(payment), cases[card])
        if raised:
            found[raised.event_id] = raised
    return found
