"""Simulated payments, with fraud among them, as records for Kafka."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from msgspec.structs import replace

from connectors.kafka.topics import PAYMENTS
from events import Payment
from local.simulator.payment_service import PaymentOptions, generate
from tests.bench.payments.even import BY_KEY, Record

SECONDS_BETWEEN_PAYMENTS = 10_000
"""Mean interval of one card: nine payments a day. With many more, honest customers hop devices all day."""
CLOSING_AFTER_MS = 60_000
"""Event time from the last payment to those that close partitions."""


def payments(number: int, cards: int, end_ms: int) -> Iterator[Payment]:
    """Generate a number of payments in the order of their times up to the end, none twice."""
    rate = cards / SECONDS_BETWEEN_PAYMENTS
    seconds = number / rate
    start_ms = end_ms - round(seconds * 1000)
    options = PaymentOptions(start_ms=start_ms, rate=rate, seconds=seconds, cards=cards, history_hours=0)
    for outgoing in islice(generate(options), number):
        assert isinstance(outgoing.event, Payment)
        yield outgoing.event


def records(payments: Iterable[Payment]) -> Iterator[Record]:
    """Generate records keyed by card, with their event times, and at the end one for each partition that closes it.

    The closing payment, of a separate card, is so much later that the watermark passes all the others.
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
