"""Logic that all peers share: features of a card, rules and cases, as a careful programmer would write them by hand.

The features are those of `udfs/fraud/payment_features.txt`. Payments must come in the order of their times, and each
once: the peers are spared what the job can do besides. Knows neither Flink nor Kafka, so that every peer can use it.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice
from math import asin, cos, radians, sin, sqrt
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from events import FraudAlert, Payment, Ruleset
from udfs.fraud import ruleset_files
from udfs.fraud.alerts import Case, Suspicion, suspect
from udfs.fraud.features import payment_features
from udfs.fraud.rules import Rules

EARTH_RADIUS_KM = 6371.0088
MINUTE_MS, TEN_MINUTES_MS, HOUR_MS, DAY_MS = 60_000, 600_000, 3_600_000, 86_400_000
MOST_RECENT = 20

Outcome = tuple[tuple[Case, ...], FraudAlert | None]
"""The cases of a card, and the alert to emit, if any."""


class Window:
    """The payments of the last `length_ms`, and the sum of their amounts."""

    __slots__ = ("length_ms", "payments", "sum")

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self.payments: deque[Payment] = deque()
        self.sum = 0

    def add(self, payment: Payment) -> list[Payment]:
        """Add the newest payment; return those that leave the window by that."""
        self.payments.append(payment)
        self.sum += payment.base_amount_minor
        too_old = payment.event_time - self.length_ms
        left = []
        while self.payments[0].event_time <= too_old:
            left.append(self.payments.popleft())
            self.sum -= left[-1].base_amount_minor
        return left


class Distinct:
    """Number of different values in a window."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def change(self, value: str, left: Sequence[str]) -> int:
        """Add one value and remove those that have left; return the number of different values."""
        counts = self.counts
        counts[value] += 1
        for each in left:
            counts[each] -= 1
            if not counts[each]:
                del counts[each]
        return len(counts)


class Card:
    """Recent payments of a card: a window for each length that a feature needs, and what is counted in them."""

    __slots__ = ("countries", "day", "declined", "devices", "greatest", "hour", "last", "merchants", "minute", "ten")

    def __init__(self) -> None:
        self.minute, self.ten, self.hour, self.day = map(Window, (MINUTE_MS, TEN_MINUTES_MS, HOUR_MS, DAY_MS))
        self.declined = 0
        self.merchants, self.countries, self.devices = Distinct(), Distinct(), Distinct()
        self.greatest: deque[Payment] = deque()
        """Payments of the day that no later one exceeds, in descending order of amounts."""
        self.last: Payment | None = None

    def features(self, payment: Payment) -> tuple[Any, ...]:
        """Add a payment; return its features, in the order of their declaration."""
        self.minute.add(payment)
        left_ten, left_hour = self.ten.add(payment), self.hour.add(payment)
        self.day.add(payment)
        self.declined += (payment.status == "declined") - sum(each.status == "declined" for each in left_ten)
        amount, greatest = payment.base_amount_minor, self.greatest
        while greatest and greatest[-1].base_amount_minor <= amount:
            greatest.pop()
        greatest.append(payment)
        while greatest[0].event_time <= payment.event_time - DAY_MS:
            greatest.popleft()
        last = self.last if self.last and self.last.event_time >= payment.event_time - DAY_MS else None
        self.last = payment
        ten = self.ten.payments
        return (
            len(self.minute.payments),
            len(ten),
            len(self.hour.payments),
            len(self.day.payments),
            self.minute.sum,
            self.ten.sum,
            self.hour.sum,
            self.day.sum,
            self.day.sum / len(self.day.payments),
            greatest[0].base_amount_minor,
            self.declined,
            self.merchants.change(payment.merchant_id, [each.merchant_id for each in left_ten]),
            self.countries.change(payment.country, [each.country for each in left_hour]),
            self.devices.change(payment.device_id, [each.device_id for each in left_hour]),
            last.country if last else None,
            last.device_id if last else None,
            (payment.event_time - last.event_time) / 1000 if last else None,
            distance_km(last.latitude, last.longitude, payment.latitude, payment.longitude) if last else None,
            [each.payment_id for each in islice(ten, max(0, len(ten) - MOST_RECENT), None)],
        )


class Past(msgspec.Struct, frozen=True, array_like=True):
    """What the features of later payments need of one payment."""

    event_time: int
    amount: int
    declined: bool
    merchant_id: str
    country: str
    device_id: str
    payment_id: str
    latitude: float
    longitude: float

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """Return what is kept of a payment."""
        return cls(
            payment.event_time,
            payment.base_amount_minor,
            payment.status == "declined",
            payment.merchant_id,
            payment.country,
            payment.device_id,
            payment.payment_id,
            payment.latitude,
            payment.longitude,
        )


def remember(day: list[Past], payment: Payment) -> tuple[list[Past], Past | None]:
    """Return the payments of the day with the newest one, and the one before it; for state that is kept as a whole."""
    last = day[-1] if day and day[-1].event_time >= payment.event_time - DAY_MS else None
    first = bisect_right(day, payment.event_time - DAY_MS, key=_time)
    return [*day[first:], Past.of(payment)], last


def features(day: list[Past], last: Past | None) -> tuple[Any, ...]:
    """Compute the features of the day's newest payment from all payments of the day; equal to those of `Card`."""
    now = day[-1]
    minute, ten, hour = (
        day[bisect_right(day, now.event_time - length, key=_time) :] for length in (MINUTE_MS, TEN_MINUTES_MS, HOUR_MS)
    )
    amounts = [each.amount for each in day]
    return (
        len(minute),
        len(ten),
        len(hour),
        len(day),
        sum(each.amount for each in minute),
        sum(each.amount for each in ten),
        sum(each.amount for each in hour),
        sum(amounts),
        sum(amounts) / len(amounts),
        max(amounts),
        sum(each.declined for each in ten),
        len({each.merchant_id for each in ten}),
        len({each.country for each in hour}),
        len({each.device_id for each in hour}),
        last.country if last else None,
        last.device_id if last else None,
        (now.event_time - last.event_time) / 1000 if last else None,
        distance_km(last.latitude, last.longitude, now.latitude, now.longitude) if last else None,
        [each.payment_id for each in ten[-MOST_RECENT:]],
    )


def _time(past: Past) -> int:
    return past.event_time


def distance_km(latitude_1: float, longitude_1: float, latitude_2: float, longitude_2: float) -> float:
    """Return the distance of two points by the haversine formula."""
    north = sin(radians(latitude_2 - latitude_1) / 2) ** 2
    east = sin(radians(longitude_2 - longitude_1) / 2) ** 2
    haversine = north + cos(radians(latitude_1)) * cos(radians(latitude_2)) * east
    return 2 * EARTH_RADIUS_KM * asin(min(1, sqrt(haversine)))


def alert(rules: Rules, payment: Payment, features: tuple[Any, ...], cases: tuple[Case, ...]) -> Outcome:
    """Return the card's cases after a payment, and the alert if the payment opens or escalates one."""
    verdict = rules.judge(
        payment.base_amount_minor,
        payment.merchant_id,
        payment.merchant_category,
        payment.country,
        payment.device_id,
        payment.channel,
        payment.status,
        *features,
    )
    if verdict is None or not verdict.rules:
        return cases, None
    return suspect(cases, Suspicion.of(payment, verdict))


def default_ruleset() -> Ruleset:
    """Return the active rules of the default ruleset, in force from the beginning.

    Those that are tried out in the shadow are left out: the peers don't report what they find.
    """
    file = ruleset_files.parse(ruleset_files.default_text())
    ruleset = ruleset_files.ruleset(file, version=1, effective_from=0, published_at=0, published_by="bench")
    return replace(ruleset, rules=tuple(rule for rule in ruleset.rules if rule.status == "active"))


def rules() -> Rules:
    """Return the default ruleset, ready to judge."""
    return Rules(default_ruleset(), payment_features(), "EUR")
