"""Version that `join_versions` must find for a row, written from its specification, to be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Version:
    """A row of the versions, but for its key."""

    lsn: int
    at: int
    """Milliseconds from which it is valid."""
    deleted: bool = False


def accepted(arrivals: Iterable[Version]) -> Sequence[Version]:
    """Return the versions whose number is greater than those of all before; others were seen before."""
    versions: list[Version] = []
    for version in arrivals:
        if all(version.lsn > other.lsn for other in versions):
            versions.append(version)
    return versions


def valid(versions: Iterable[Version], moment: int) -> int | None:
    """Return the greatest number of a version until then; None if there is none, or if it is deleted."""
    until = [version for version in versions if version.at <= moment]
    last = max(until, key=lambda version: version.lsn, default=None)
    return None if last is None or last.deleted else last.lsn


def found_later(versions: Iterable[Version], moment: int, hours: int) -> int | None:
    """Return the number of the first version after that moment, if none was valid then.

    None if it arrives too late or is deleted.

    A version that is later and has an earlier time, since the clock was set back, takes the place of one.
    """
    versions = list(versions)
    if valid(versions, moment) is not None:
        return None
    lasting = [each for each in versions if not any(each.lsn < other.lsn and other.at < each.at for other in versions)]
    after = [version for version in lasting if version.at > moment]
    following = min(after, key=lambda version: (version.at, version.lsn), default=None)
    if following is None or following.deleted or following.at > moment + hours * HOUR_MS:
        return None
    return following.lsn
