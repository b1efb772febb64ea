"""When is it night for somebody? Quiet hours by the clocks on the wall of a time zone, in UTC milliseconds."""

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
    """The zone of an IANA name; None if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of zones, a path, characters that no file name can have: all that isn't a name.
        return None


def quiet_until(hours: QuietHours, zone: ZoneInfo, moment: int) -> int | None:
    """When the quiet hours that `moment` lies in are over; None if it lies in none (UTC milliseconds).

    They begin when a clock on the wall first shows their beginning, or more, on its day, and end likewise. So they are
    an hour longer or shorter in a night in which clocks change, and a time that clocks leave out is the moment at which
    they do.
    """
    day = (_EPOCH + moment * _MILLISECOND).astimezone(zone).date()
    overnight = _DAY if hours.end <= hours.begin else timedelta(0)
    # The days beside it, too: clocks that are set back at midnight show the end of a day twice.
    nights = [
        (_first(zone, begins, hours.begin), _first(zone, begins + overnight, hours.end))
        for begins in (day - _DAY, day, day + _DAY)
    ]
    return max((end for begin, end in nights if begin <= moment < end), default=None)


@lru_cache(maxsize=8192)
def _first(zone: ZoneInfo, day: date, time_of_day: str) -> int:
    """The first moment at which a clock on the wall shows this time of that day, or a later one."""
    wall = datetime.combine(day, time.fromisoformat(time_of_day))
    after = wall.replace(tzinfo=zone).astimezone(UTC)
    if after.astimezone(zone).replace(tzinfo=None) != wall:
        # It is left out: `after` takes the offset before the change and so lies behind it, fold=1 before it.
        before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        while after - before > _SECOND:
            middle = before + (after - before) // (2 * _SECOND) * _SECOND
            if middle.astimezone(zone).replace(tzinfo=None) >= wall:
                after = middle
            else:
                before = middle
    return (after - _EPOCH) // _MILLISECOND
