"""Selects dead letters, and reads which of them were replayed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from connectors.kafka.reading import committed_records
from connectors.kafka.topics import DEAD_LETTER_REPLAYS
from connectors.settings import Settings
from events import DeadLetter, DeadLetterReplay


class Replays:
    """Replays of dead letters so far."""

    def __init__(self, replays: Iterable[DeadLetterReplay]) -> None:
        self._last = {each.letter_id: each for each in replays}

    def of(self, letter: DeadLetter) -> DeadLetterReplay | None:
        """Return the last replay of the dead letter's record; None if there was none."""
        found = self._last.get(letter.event_id)
        return found if found is not None and found.source_time == letter.event_time else None


@dataclass(frozen=True)
class Selection:
    """Conditions for dead letters; unset ones don't apply."""

    ids: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    rejected_by: frozenset[str] = frozenset()
    reason: str = ""
    """Words that must all be in the reason, in any order and case."""
    since: int | None = None
    """Start of the time range, inclusive, in UTC milliseconds. A dead letter's time is that of its record."""
    until: int | None = None
    """End of the time range, exclusive, in UTC milliseconds."""
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    """First and last offset, both inclusive."""
    replayed: bool | None = None

    def takes(self, letter: DeadLetter, replays: Replays) -> bool:
        """Return whether the dead letter is selected."""
        reason = letter.reason.casefold()
        return (
            (not self.ids or letter.event_id in self.ids)
            and (not self.topics or letter.source_topic in self.topics)
            and (not self.rejected_by or letter.rejected_by in self.rejected_by)
            and all(word in reason for word in self.reason.casefold().split())
            and (self.since is None or letter.event_time >= self.since)
            and (self.until is None or letter.event_time < self.until)
            and (self.partition is None or letter.source_partition == self.partition)
            and (self.offsets is None or self.offsets[0] <= letter.source_offset <= self.offsets[1])
            and (self.replayed is None or (replays.of(letter) is not None) == self.replayed)
        )


@dataclass
class DeadLetters:
    """Selected dead letters of a topic, without duplicates; an invalid one is reported to `complain`."""

    settings: Settings
    topic: str
    selection: Selection
    replays: Replays
    complain: Callable[[str], None]
    latest: int | None = None
    """Number of offsets at the ends of the partitions to which the search is limited; unset: the whole topic."""
    _seen: set[tuple[str, str, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[DeadLetter]:
        """Yield the dead letters, each partition in its order.

        After a restart from a checkpoint, a job has written some dead letters again; the first one counts.
        """
        for record in committed_records(self.settings, self.topic, self.latest):
            try:
                letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
            except msgspec.MsgspecError as error:
                self.complain(f"{record.topic}-{record.partition}-{record.offset} is no dead letter: {error}")
                continue
            identity = (letter.event_id, letter.rejected_by, letter.event_time)
            if identity not in self._seen and self.selection.takes(letter, self.replays):
                self._seen.add(identity)
                yield letter


def read_replays(settings: Settings) -> Replays:
    """Read all replays.

    Raises:
        LookupError: their topic does not exist.
    """
    records = committed_records(settings, DEAD_LETTER_REPLAYS.name)
    return Replays(msgspec.json.decode(record.value, type=DeadLetterReplay) for record in records if record.value)


def replays_so_far(settings: Settings) -> Replays:
    """Read all replays; none if their topic doesn't exist yet, since nothing can have been replayed then."""
    try:
        return read_replays(settings)
    except LookupError:
        return Replays(())


def by_record(letters: Iterable[DeadLetter]) -> Mapping[tuple[str, int], list[DeadLetter]]:
    """Group dead letters by the id and time of their record: several jobs may have rejected it, each for its reason."""
    found: dict[tuple[str, int], list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault((letter.event_id, letter.event_time), []).append(letter)
    return found
