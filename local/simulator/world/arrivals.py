"""Timetable by which the shop enters new customers and products, and the order service sells to them before that.

The shop lists an upcoming product and enters a newcomer every few seconds of its run; the order service has orders
of both a few seconds earlier. The two services need the same number of customers and must be started together.
"""

from random import Random

from local.simulator.world.population import STAY_AT_HOME_EVERY

EVERY_MS = 4_000
"""Interval at which a product is listed and, half an interval later, a newcomer is entered."""
EARLY_BY = (1, 2)
"""Number of whole intervals, besides a part of one, between an early sale and the listing."""


def listed_ms(number: int) -> int:
    """Return when the upcoming product with that number, from 0 on, is listed: milliseconds after the start."""
    return (number + 1) * EVERY_MS


def entered_ms(number: int) -> int:
    """Return when the newcomer with that number, from 0 on, is entered: milliseconds after the start."""
    return listed_ms(number) + EVERY_MS // 2


def early_number(elapsed_ms: int, random: Random) -> int:
    """Return the number of an upcoming product or a newcomer that the shop enters soon after that time."""
    return max(0, elapsed_ms) // EVERY_MS + random.choice(EARLY_BY)


def is_entered_by(number: int, end_ms: float) -> bool:
    """Return whether the shop has entered both with that number by `end_ms`, even if it started a bit later."""
    return entered_ms(number) + EVERY_MS <= end_ms


def newcomer(number: int, customers: int) -> int:
    """Return the customer number of that newcomer, from 0 on, to a shop with this many customers: one who orders."""
    last_digit = STAY_AT_HOME_EVERY - 1
    return customers + (last_digit - customers) % STAY_AT_HOME_EVERY + number * STAY_AT_HOME_EVERY
