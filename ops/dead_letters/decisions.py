"""Decides which rejected records are replayed, fixed or unchanged, and gives the reasons for the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors.kafka.topics import TOPICS, UNLIMITED_MS, YEAR_9999_MS
from events import DeadLetterReplay
from events.checks import NotTheEventError, check
from ops.dead_letters.export import ExportError
from ops.dead_letters.fixes import FixError
from ops.dead_letters.original_records import why_incomplete
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_headers import pairs_of
from ops.dead_letters.rejected_record import Record, Rejected
from ops.formats import time_in_words
from ops.topics.apply import RealTopic, duration

Change = Callable[[Rejected], Record | None]
"""Returns the record to send, or None to skip it. Raises FixError or ExportError."""


@dataclass(frozen=True)
class Decision:
    """Decision on a rejected record: to send it, to skip it, or to refuse it."""

    rejected: Rejected
    record: Record | None
    """Record to send, without the headers about the replay; None if it isn't sent."""
    why_not: str = ""
    notes: tuple[str, ...] = ()
    is_refused: bool = False
    """Whether it isn't sent for a reason that needs attention."""

    @property
    def is_changed(self) -> bool:
        """Whether it differs from the record that was rejected."""
        return self.record is not None and self.record != self.rejected.record


def unchanged(rejected: Rejected) -> Record | None:
    """Return the record without a fix: the job that rejected it has changed, or the record may be late again."""
    return rejected.record


def decide(
    rejected: Iterable[Rejected],
    change: Change,
    replays: Replays,
    real_topics: Mapping[str, RealTopic],
    *,
    again: bool,
    now: int,
) -> Iterator[Decision]:
    """Yield which records are sent, and why others aren't.

    Args:
        real_topics: by name, as the brokers have them.
        again: whether to send also what was replayed before.
        now: UTC milliseconds.
    """
    for each in rejected:
        yield _decision(each, change, replays, real_topics, again=again, now=now)


def _decision(
    rejected: Rejected,
    change: Change,
    replays: Replays,
    real_topics: Mapping[str, RealTopic],
    *,
    again: bool,
    now: int,
) -> Decision:
    before = replays.of(rejected.letter)
    if before is not None and not again:
        return Decision(rejected, None, f"{_replay_in_words(before)}; --again replays it again")
    if missing := why_incomplete(rejected.letter):
        return Decision(rejected, None, missing, is_refused=True)
    try:
        record = change(rejected)
    except (FixError, ExportError) as error:
        return Decision(rejected, None, str(error), is_refused=True)
    if record is None:
        return Decision(rejected, None, "skipped by the fix")
    if problem := _problem(record, real_topics, now):
        return Decision(rejected, None, problem, is_refused=True)
    notes = _notes(rejected, record, real_topics[record.topic], now)
    if before is not None:
        notes = (_replay_in_words(before), *notes)
    return Decision(rejected, record, notes=notes)


def _problem(record: Record, real_topics: Mapping[str, RealTopic], now: int) -> str:
    """Return why the record can't be sent, or would be rejected again; empty if neither is the case."""
    return _unsendable(record, real_topics, now) or _wrong_again(record)


def _unsendable(record: Record, real_topics: Mapping[str, RealTopic], now: int) -> str:
    if record.topic not in real_topics:
        return f"there is no topic {record.topic} (any more)"
    if record.value is None:
        return "it has no value"
    ahead = record.timestamp - now
    if ahead > (limit := int(real_topics[record.topic].config.get("message.timestamp.after.max.ms", UNLIMITED_MS))):
        return f"its time is {ahead:,} ms ahead, and {record.topic} accepts at most {limit:,} ms: a fix can change it"
    for name, value in pairs_of(record.headers):
        if value is None:
            return f"its header {name} is null, which the client can't send: a fix can give it a value"
    return ""


def _wrong_again(record: Record) -> str:
    event = next((topic.event for topic in TOPICS if topic.name == record.topic), None)
    if event is None:
        return ""
    if not 0 <= record.timestamp < YEAR_9999_MS:
        return f"it would be rejected again: no event has the time {record.timestamp}; a fix can change it"
    try:
        check(record.value or b"", event)
    except NotTheEventError as error:
        return f"it would be rejected again: {error}"
    return ""


def _notes(rejected: Rejected, record: Record, topic: RealTopic, now: int) -> tuple[str, ...]:
    notes = []
    if record.topic not in {each.name for each in TOPICS}:
        notes.append("its topic isn't declared, so it was checked against no schema")
    if record == rejected.record:
        notes.append("unchanged: it is rejected again unless the job or its schema has changed since")
    if (
        any(each.reason.startswith("late") for each in rejected.letters)
        and record.timestamp == rejected.letter.event_time
    ):
        notes.append("it was late, and its time is unchanged: in event time it is late again")
    kept = int(topic.config.get("retention.ms", "-1"))
    if kept >= 0 and record.timestamp < now - kept and "delete" in topic.config.get("cleanup.policy", "delete"):
        notes.append(f"its time is older than its topic keeps ({duration(kept)}): it may be deleted before it is read")
    if len({each.payload for each in rejected.letters}) > 1:
        notes.append(f"its dead letters differ in payload: that of {rejected.letter.rejected_by} is taken")
    return tuple(notes)


def _replay_in_words(replay: DeadLetterReplay) -> str:
    times = "" if replay.times == 1 else f" ({replay.times} times so far)"
    where = f"{replay.source_topic}-{replay.sent_partition}-{replay.sent_offset}"
    return f"replayed on {time_in_words(replay.event_time)} as {where}{times}"
