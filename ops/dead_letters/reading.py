"""Which dead letters are meant, and which of them were sent again?"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from connectors.kafka.topics import DEAD_LETTER_REPLAYS
from connectors.settings import Settings
from events import DeadLetter, DeadLetterReplay
from ops.topics.records import committed_records


class Replays:
    """What was sent again so far."""

    def __init__(self, replays: Iterable[DeadLetterReplay]) -> None:
        self._last = {each.letter_id: each for each in replays}

    def of(self, letter: DeadLetter) -> DeadLetterReplay | None:
        """How the letter's record was sent again the last time; None if it never was."""
        found = self._last.get(letter.event_id)
        return found if found is not None and found.source_time == letter.event_time else None


@dataclass(frozen=True)
class Selection:
    """Which letters; what isn't said doesn't matter."""

    ids: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    rejected_by: frozenset[str] = frozenset()
    reason: str = ""
    """Words that all are in the reason, in whatever order and case."""
    since: int | None = None
    """UTC milliseconds; the first that is meant. A letter's time is that of its record."""
    until: int | None = None
    """UTC milliseconds; the first that isn't."""
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    """First and last one."""
    replayed: bool | None = None

    def takes(self, letter: DeadLetter, replays: Replays) -> bool:
        """Whether the letter is meant."""
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
class Letters:
    """The selected letters of a topic, each once; what is no letter is told to `complain`."""

    settings: Settings
    topic: str
    selection: Selection
    replays: Replays
    complain: Callable[[str], None]
    _seen: set[tuple[str, str, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[DeadLetter]:
        """In the order of each partition.

        A job that went on from its last checkpoint has written some letters again; the first copy counts.
        """
        for record in committed_records(self.settings, self.topic):
            try:
                letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
            except msgspec.MsgspecError as error:
                self.complain(f"{record.topic}-{record.partition}-{record.offset} is no dead letter: {error}")
                continue
            copy = (letter.event_id, letter.rejected_by, letter.event_time)
            if copy not in self._seen and self.selection.takes(letter, self.replays):
                self._seen.add(copy)
                yield letter


def read_replays(settings: Settings) -> Replays:
    """All that was sent again.

    Raises:
        LookupError: there is no topic for it.
    """
    records = committed_records(settings, DEAD_LETTER_REPLAYS.name)
    try:
        return Replays(msgspec.json.decode(record.value, type=DeadLetterReplay) for record in records if record.value)
    except LookupError as error:
        raise LookupError(f"{error}: `python -m ops topics apply` makes it") from error


def replays_so_far(settings: Settings) -> Replays:
    """The same; nothing where there is no topic for it yet, so nothing can have been sent."""
    try:
        return read_replays(settings)
    except LookupError:
        return Replays(())


def by_record(letters: Iterable[DeadLetter]) -> Mapping[tuple[str, int], list[DeadLetter]]:
    """The letters of each record, by its id and time: several jobs may have rejected it, each for its reason."""
    found: dict[tuple[str, int], list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault((letter.event_id, letter.event_time), []).append(letter)
    return found
