"""Quiet hours, compared with a search by the minute for when a clock first shows a local time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders.events import event_time
from udfs.notifications.notification_policy import QuietHours
from udfs.notifications.quiet_hours import quiet_until, time_zone

NIGHT = QuietHours(begin="22:00", end="08:00")
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_MS = 60_000
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC")


def first_shown(zone: ZoneInfo, day: date, time_of_day: str) -> int:
    """Return the first time at which a clock shows this local time; looks at every minute, from the easternmost zone's
    time on."""
    wall = datetime.combine(day, time.fromisoformat(time_of_day))
    moment = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += timedelta(minutes=1)
    return round(moment.timestamp() * 1000)


def searched(hours: QuietHours, zone: ZoneInfo, moment: int) -> int | None:
    today = datetime.fromtimestamp(moment / 1000, zone).date()
    found = []
    for day in (today + timedelta(days=number) for number in range(-2, 2)):
        end_day = day + timedelta(days=1) if hours.end <= hours.begin else day
        begin, end = first_shown(zone, day, hours.begin), first_shown(zone, end_day, hours.end)
        if begin <= moment < end:
            found.append(end)
    return max(found, default=None)


def utc(text: str) -> int:
    return event_time(f"{text}:00Z")


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-03-01T20:59", None),
        ("2026-03-01T21:00", "2026-03-02T07:00"),
        ("2026-03-02T06:59", "2026-03-02T07:00"),
        ("2026-03-02T07:00", None),
    ],
)
def test_night_lasts_from_the_evening_to_the_morning(moment: str, until: str | None) -> None:
    assert quiet_until(NIGHT, BERLIN, utc(moment)) == (utc(until) if until else None)


def test_hours_within_a_day_end_on_that_day() -> None:
    siesta = QuietHours(begin="13:00", end="15:00")

    assert quiet_until(siesta, BERLIN, utc("2026-03-01T12:30")) == utc("2026-03-01T14:00")
    assert quiet_until(siesta, BERLIN, utc("2026-03-01T22:30")) is None


def test_clock_change_makes_the_night_an_hour_shorter_or_longer() -> None:
    assert quiet_until(NIGHT, BERLIN, utc("2026-03-28T21:00")) == utc("2026-03-29T06:00")
    assert quiet_until(NIGHT, BERLIN, utc("2026-10-24T20:00")) == utc("2026-10-25T07:00")


def test_skipped_local_time_is_the_moment_of_the_clock_change() -> None:
    until_half_past_two = QuietHours(begin="22:00", end="02:30")

    assert quiet_until(until_half_past_two, BERLIN, utc("2026-03-29T00:59")) == utc("2026-03-29T01:00")
    assert quiet_until(until_half_past_two, BERLIN, utc("2026-03-29T01:00")) is None


def test_repeated_local_time_is_the_first_of_the_two() -> None:
    until_half_past_two = QuietHours(begin="22:00", end="02:30")

    assert quiet_until(until_half_past_two, BERLIN, utc("2026-10-25T00:29")) == utc("2026-10-25T00:30")
    assert quiet_until(until_half_past_two, BERLIN, utc("2026-10-25T01:15")) is None


def test_clocks_that_are_set_back_over_midnight_do_not_end_a_night() -> None:
    from_midnight = QuietHours(begin="00:00", end="08:00")
    st_johns = ZoneInfo("America/St_Johns")

    # A minute after the midnight before November 7th, 2010, clocks in the zone went back to 23:01.
    assert quiet_until(from_midnight, st_johns, utc("2010-11-07T02:29")) is None
    assert quiet_until(from_midnight, st_johns, utc("2010-11-07T02:45")) == utc("2010-11-07T11:30")


def test_day_that_a_zone_skips_has_no_night() -> None:
    apia = ZoneInfo("Pacific/Apia")

    # Samoa had no December 30th, 2011: the night of the 29th ends with it.
    assert quiet_until(NIGHT, apia, utc("2011-12-30T09:59")) == utc("2011-12-30T10:00")
    assert quiet_until(NIGHT, apia, utc("2011-12-30T10:00")) == searched(NIGHT, apia, utc("2011-12-30T10:00"))


TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
AROUND_CHANGES = st.sampled_from(
    [utc(each) for each in ("2026-03-08T07:00", "2026-03-29T01:00", "2026-04-04T15:00", "2026-10-25T01:00")]
    + [utc(each) for each in ("2026-11-01T06:00", "2018-11-04T03:00", "2018-02-18T02:00", "2026-06-01T00:00")]
)


@given(
    hours=st.builds(QuietHours, begin=TIMES, end=TIMES).filter(lambda hours: hours.begin != hours.end),
    zone=st.sampled_from(ZONES),
    change=AROUND_CHANGES,
    minutes=st.integers(-1_500, 1_500),
)
def test_quiet_hours_equal_those_of_a_search_by_the_minute(
    hours: QuietHours, zone: str, change: int, minutes: int
) -> None:
    moment = change + minutes * MINUTE_MS

    assert quiet_until(hours, ZoneInfo(zone), moment) == searched(hours, ZoneInfo(zone), moment)


@given(text=st.from_regex(r"\d\d:\d\d$") | st.from_regex("[0-2][0-9]:[0-9][0-9]$"))
@example(text="22:00\n")
@example(text="0٧:3٠")
def test_time_that_the_policy_accepts_can_be_computed(text: str) -> None:
    try:
        hours = msgspec.convert({"from": text, "to": "12:34"}, QuietHours)
    except msgspec.ValidationError:
        return

    until = quiet_until(hours, BERLIN, utc("2026-03-01T12:30"))

    assert until is None or until > utc("2026-03-01T12:30")


@pytest.mark.parametrize("name", ["", "Europe/Atlantis", "Europe", "../etc/passwd", "a\0b", "x" * 128, "/UTC"])
def test_unknown_zone_is_none(name: str) -> None:
    assert time_zone(name) is None


def test_zone_is_found_by_its_name() -> None:
    zone = time_zone("Europe/Paris")

    assert zone is not None
    assert zone.key == "Europe/Paris"
