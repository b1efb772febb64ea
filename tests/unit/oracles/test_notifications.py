"""Quiet hours of the oracle of notifications, by what the clock shows."""

import pytest

from connectors.kafka.topics import MINUTE_MS
from local.oracles.notifications import is_quiet
from local.simulator.world.people import TIME_ZONES
from tests.builders.events import event_time
from tests.reference_runs.notifications import DEFAULT
from udfs.notifications.quiet_hours import quiet_until, time_zone

YEAR = range(event_time("2026-01-01T00:00:00Z"), event_time("2027-01-01T00:00:00Z"), 251 * MINUTE_MS)


@pytest.mark.parametrize("zone", sorted(set(TIME_ZONES.values())))
def test_quiet_hours_by_the_clock_equal_those_of_the_job(zone: str) -> None:
    hours, known = DEFAULT.quiet_hours, time_zone(zone)
    assert hours and known

    quiet = [at for at in YEAR if is_quiet(hours, zone, at)]

    assert len(YEAR) / 3 < len(quiet) < len(YEAR) / 2
    assert quiet == [at for at in YEAR if quiet_until(hours, known, at) is not None]
