"""Quiet hours by local time in a time zone, computed in UTC milliseconds."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from udfs.notifications.notification_policy import QuietHours

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@lru_cache(maxsize=1024)
def time_zone(name: str) -> ZoneInfo | None:
    """Return the zone of an IANA name; None if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # These errors mean that it isn't a zone's name: a folder of zones, a path, characters that no file name can
        # have.
        return None


def quiet_until(hours: QuietHours, zone: ZoneInfo, moment: int) -> int | None:
    """Return when the quiet hours that contain `moment` end; None if none contain it (UTC milliseconds).

    Quiet hours begin when local time first reaches their beginning on its day, and end likewise. In a night with a
    clock change they are therefore an hour longer or shorter, and a local time that is skipped is the moment of the
    change.
    """
    day = (_EPOCH + moment * _MILLISECOND).astimezone(zone).date()
    overnight = _DAY if hours.end <= hours.begin else timedelta(0)
    # The days before and after count too: a clock that is set back at midnight shows the end of a day twice.
    nights = [
        (_first(zone, begins, hours.begin), _first(zone, begins + overnight, hours.end))
        for begins in (day - _DAY, day, day + _DAY)
    ]
    return max((end for begin, end in nights if begin <= moment < end), default=None)


@lru_cache(maxsize=8192)
def _first(zone: ZoneInfo, day: date, time_of_day: str) -> int:
    """Return the first moment at which local time is this time of that day, or later."""
    wall = datetime.combine(day, time.fromisoformat(time_of_day))
    after = wall.replace(tzinfo=zone).astimezone(UTC)
    if after.astimezone(zone).replace(tzinfo=None) != wall:
        # The local time is skipped: `after` uses the offset before the change and so lies behind it; fold=1 lies before
        # it.
        before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        while after - before > _SECOND:
            middle = before + (after - before) // (2 * _SECOND) * _SECOND
            if middle.astimezone(zone).replace(tzinfo=None) >= wall:
                after = middle
            else:
                before = middle
    return (after - _EPOCH) // _MILLISECOND
