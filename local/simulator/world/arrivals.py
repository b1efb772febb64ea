"""Who orders, and what is sold, before the shop has entered it? The shop and the order service go by this timetable.

The shop lists an upcoming product and enters a newcomer every few seconds of its run; the order service sells them a
few seconds earlier in its own. They need the same number of customers and must be started together; nothing else.
"""

from random import Random

from local.simulator.world.population import STAY_AT_HOME_EVERY

EVERY_MS = 4_000
"""So often in a run a product is listed, and, half of it later, a newcomer is entered."""
EARLY_BY = (1, 2)
"""So many whole intervals pass before what was sold early is listed, and a part of one."""


def listed_ms(number: int) -> int:
    """When the upcoming product with that number, from 0 on, is listed: milliseconds after the start."""
    return (number + 1) * EVERY_MS


def entered_ms(number: int) -> int:
    """When the newcomer with that number, from 0 on, is entered: milliseconds after the start."""
    return listed_ms(number) + EVERY_MS // 2


def early_number(elapsed_ms: int, random: Random) -> int:
    """Number of an upcoming product or a newcomer that the shop doesn't know yet at that time, but soon will."""
    return max(0, elapsed_ms) // EVERY_MS + random.choice(EARLY_BY)


def is_entered_by(number: int, end_ms: float) -> bool:
    """Whether the shop has entered both with that number so long after the start, even if it started a bit later."""
    return entered_ms(number) + EVERY_MS <= end_ms


def newcomer(number: int, customers: int) -> int:
    """Customer number of that newcomer, from 0 on, to a shop that begins with so many customers: one who orders."""
    last_digit = STAY_AT_HOME_EVERY - 1
    return customers + (last_digit - customers) % STAY_AT_HOME_EVERY + number * STAY_AT_HOME_EVERY
