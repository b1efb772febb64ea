"""Formats rejected records for the terminal, complete or as differences; masked and harmless."""

import difflib
from collections.abc import Iterator

from events import DeadLetter
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_headers import sorted_pairs
from ops.dead_letters.rejected_record import Record, Rejected, past
from ops.formats import time_in_words
from ops.masking import shown, shown_key, shown_payload, shown_reason


def record_in_full(rejected: Rejected, replays: Replays) -> str:
    """Format everything that is known of a record: its content, its rejections and its replays."""
    record = rejected.record
    lines = [
        shown(rejected.letter.event_id),
        f"  topic        {shown(record.topic)}, partition {record.partition}, offset {record.offset}",
        # Not the record's own time, which may be out of the calendar's range.
        f"  time         {time_in_words(rejected.letter.event_time)} ({record.timestamp})",
        *(f"  {line}" for line in _key_and_headers(record)),
        *(f"  rejected by  {shown(each.rejected_by)}: {shown_reason(each.reason)}" for each in rejected.letters),
        *(f"  {line}" for line in _history(rejected, replays)),
    ]
    for letter in {letter.payload: letter for letter in reversed(rejected.letters)}.values():
        lines += [f"  payload      {_length(letter)} bytes", shown_payload(record.topic, letter.payload)]
    return "\n".join(lines)


def difference(was: Record, now: Record) -> Iterator[str]:
    """Yield the differences of a fixed record, line by line."""
    before, after = list(_lines(was)), list(_lines(now))
    changed = [
        line
        for line in difflib.unified_diff(before, after, n=1, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    yield from changed or ["(what is changed is masked, or is only another way to write the same)"]


def _lines(record: Record) -> Iterator[str]:
    yield f"time: {record.timestamp}"
    yield from _key_and_headers(record)
    yield from shown_payload(record.topic, record.value).split("\n")


def _key_and_headers(record: Record) -> Iterator[str]:
    yield f"key          {shown_key(record.topic, record.key)}"
    for name, value in sorted_pairs(record.headers):
        yield f"header       {shown(name)}: {'none' if value is None else f'{len(value):,} bytes'}"


def _history(rejected: Rejected, replays: Replays) -> Iterator[str]:
    earlier = past(rejected.record.headers)
    if earlier.times:
        ids = ", ".join(map(shown, earlier.letter_ids))
        fix = f", fix {shown(earlier.fix)}" if earlier.fix else ", unchanged"
        yield f"before       replayed {_times(earlier.times)}, as {ids}; the last time on {shown(earlier.at)}{fix}"
    if replay := replays.of(rejected.letter):
        place = f"{replay.source_topic}-{replay.sent_partition}-{replay.sent_offset}"
        fix = f"fix {shown(replay.fix)}" if replay.fix else "unchanged"
        replayed = f"{time_in_words(replay.event_time)} by {shown(replay.replayed_by)}"
        yield f"replayed     {_times(replay.times)}; the last time on {replayed} as {shown(place)}, {fix}"


def _length(letter: DeadLetter) -> str:
    length = f"{len(letter.payload or b''):,}"
    return length if letter.cut is None else f"the first {length} of {letter.cut.payload_bytes or 0:,}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
