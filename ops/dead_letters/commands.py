"""Commands `dead-letters`."""

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from connectors.kafka.topics import LETTER_TOPICS
from connectors.settings import Settings
from events import DeadLetter
from ops.cli import CommandGroup, MomentOrAge, user_name
from ops.dead_letters.decisions import Change, Decision, decide, unchanged
from ops.dead_letters.export import edited, read, write
from ops.dead_letters.fixes import load
from ops.dead_letters.original_records import why_incomplete, with_originals
from ops.dead_letters.reading import DeadLetters, Replays, Selection, replays_so_far
from ops.dead_letters.record_formatting import difference, record_in_full
from ops.dead_letters.rejected_record import Rejected, past, rejected_records
from ops.dead_letters.replay import Unsent, replay_records
from ops.formats import now_ms, table, time_in_words
from ops.masking import kind_of_reason, shown, shown_key, shown_reason
from ops.topics import apply as topic_operations

_LONGEST_REASON = 60
_SHOWN_DECISIONS = 10


class _Offsets(click.ParamType[tuple[int, int]]):
    name = "N|N-N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        first, _, last = str(value).partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            self.fail(f"{value!r} is no offset and no range of them; write 17 or 17-21", param, ctx)
        return int(first), int(last or first)


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add options that select dead letters."""
    for option in (
        click.option("--replayed/--not-replayed", default=None, help="Only those that were, or weren't, replayed."),
        click.option("--offset", "offsets", type=_Offsets(), help="Offset of the record, or first and last one."),
        click.option("--partition", type=click.IntRange(min=0), help="Partition of the record."),
        click.option("--until", type=MomentOrAge(), help="Records before this time."),
        click.option("--since", type=MomentOrAge(), help="Records from this event time on: 1h, 2026-03-01T12:00:00Z."),
        click.option("--rejected-by", multiple=True, metavar="JOB", help="Job or pipeline; repeatable."),
        click.option("--reason", default="", metavar="WORDS", help="Words that must all be in the reason."),
        click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Topic of the record; repeatable."),
        click.option(
            "--from", "letter_topic", type=click.Choice(LETTER_TOPICS), default=LETTER_TOPICS[0], show_default=True
        ),
    ):
        command = option(command)
    return command


def _selected(letter_topic: str, ids: tuple[str, ...] = (), **filters: Any) -> tuple[DeadLetters, Settings]:
    settings = Settings.from_environment()
    selection = Selection(
        ids=frozenset(ids),
        topics=frozenset(filters.pop("topics")),
        rejected_by=frozenset(filters.pop("rejected_by")),
        **filters,
    )
    return DeadLetters(settings, letter_topic, selection, replays_so_far(settings), _warn), settings


def _warn(text: str) -> None:
    click.echo(f"warning: {shown_reason(text)}", err=True)


@click.group("dead-letters", cls=CommandGroup)
def dead_letters() -> None:
    """Show and export dead letters, and replay their records.

    Of a record only fields are shown that are declared to be neither personal nor secret, of others name and length.
    Only `export` writes everything, to a file that only its owner can read.
    """
    # Errors of brokers and of fenced producers are reported in one line, so the client needn't log them.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


@dead_letters.command("list")
@click.option("--latest", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number.")
@_selecting
def dead_letters_list(latest: int, **selecting: Any) -> None:
    """List the dead letters with the latest records.

    They are in the order of the records' times, the latest at the end.
    """
    letters, _ = _selected(**selecting)
    found = heapq.nlargest(latest, letters, key=lambda letter: (letter.event_time, letter.event_id))
    if not found:
        click.echo(f"no such dead letter in {letters.topic}")
        return
    rows = [_row(letter, letters.replays) for letter in reversed(found)]
    click.echo(table(("time of record", "id", "rejected by", "replays before", "replayed", "reason"), rows))


def _row(letter: DeadLetter, replays: Replays) -> tuple[object, ...]:
    replay = replays.of(letter)
    reason = shown_reason(letter.reason)
    return (
        time_in_words(letter.event_time),
        shown(letter.event_id),
        shown(letter.rejected_by),
        past(letter.source_headers).times or "",
        time_in_words(replay.event_time) if replay else "",
        reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…",
    )


@dead_letters.command("count")
@_selecting
def dead_letters_count(**selecting: Any) -> None:
    """Count dead letters by topic, job and kind of reason.

    Reasons that differ only in values are of one kind.
    """
    letters, _ = _selected(**selecting)
    counted: Counter[tuple[str, str, str]] = Counter()
    replayed: Counter[tuple[str, str, str]] = Counter()
    for letter in letters:
        kind = (letter.source_topic, letter.rejected_by, kind_of_reason(letter.reason))
        counted[kind] += 1
        replayed[kind] += letters.replays.of(letter) is not None
    rows = [(count, replayed[kind], *map(shown, kind)) for kind, count in counted.most_common()]
    if not rows:
        click.echo(f"no such dead letter in {letters.topic}")
        return
    click.echo(table(("dead letters", "replayed", "topic", "rejected by", "kind of reason"), rows))


@dead_letters.command("show")
@click.argument("letter_id", metavar="ID")
@click.option("--from", "letter_topic", type=click.Choice(LETTER_TOPICS), default=LETTER_TOPICS[0], show_default=True)
def dead_letters_show(letter_id: str, letter_topic: str) -> None:
    """Show everything that is known of one record.

    ID is topic-partition-offset, as `list` shows it.
    """
    settings = Settings.from_environment()
    replays = replays_so_far(settings)
    found = rejected_records(DeadLetters(settings, letter_topic, Selection(frozenset({letter_id})), replays, _warn))
    if not found:
        raise LookupError(f"there is no dead letter {letter_id} in {letter_topic}")
    for rejected in found:
        click.echo(record_in_full(rejected, replays))


@dead_letters.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_selecting
def dead_letters_export(file: Path, **selecting: Any) -> None:
    """Write dead letters to a new FILE, to edit and replay them.

    The file has one line of JSON per dead letter, complete and unmasked; only its owner can read it.
    """
    letters, _ = _selected(**selecting)
    complete = _complete_letters(with_originals(letters.settings, letters))
    count = write(file, complete, letters.replays)
    click.echo(f"{count} dead letters are in {file}, unmasked; delete it once you no longer need it")


def _complete_letters(letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    """Yield the dead letters that have their whole record; report the others, since an export is for replay."""
    for letter in letters:
        if missing := why_incomplete(letter):
            _warn(f"{letter.event_id} is left out: {missing}")
        else:
            yield letter


@dead_letters.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_selecting
@click.option("--fix", "fix_file", metavar="FILE.py[:FUNCTION]", help="A function that fixes each record.")
@click.option(
    "--export",
    "export_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited export: its records are sent as they are in it, others not at all.",
)
@click.option("--again", is_flag=True, help="Send also records that were replayed before.")
@click.option("--yes", is_flag=True, help="Send the records; without it, only show what would be sent.")
def dead_letters_replay(
    ids: tuple[str, ...], fix_file: str | None, export_file: Path | None, again: bool, yes: bool, **selecting: Any
) -> None:
    """Send records to their topics again, fixed or unchanged.

    Without --yes it only shows what would be sent. Each record is sent once, even if several jobs have rejected it.
    Exit status 1 if a record can't be sent.
    """
    if fix_file and export_file:
        raise click.UsageError("either --fix or --export")
    letters, settings = _selected(ids=ids, **selecting)
    change, fix, chosen = _change(fix_file, export_file)
    originals = with_originals(settings, letters)
    found = [each for each in rejected_records(originals) if chosen is None or each.letter.event_id in chosen]
    if missing := sorted((set(ids) | (chosen or set())) - {each.letter.event_id for each in found}):
        _warn(f"not among the selected dead letters in {letters.topic}: {', '.join(missing)}")
    real_topics = topic_operations.describe(settings)
    now = now_ms()
    decisions = list(decide(found, change, letters.replays, real_topics, again=again, now=now))
    _print_decisions(decisions)
    refused = sum(decision.is_refused for decision in decisions)
    if yes:
        sent = 0
        try:
            for outcome in replay_records(settings, decisions, fix=fix, again=again, replayed_by=user_name()):
                if isinstance(outcome, Unsent):
                    refused += 1
                    letter_id = shown(outcome.decision.rejected.letter.event_id)
                    click.echo(f"{letter_id} was not sent: Kafka refuses it: {shown(outcome.why)}")
                else:
                    sent += 1
        finally:
            click.echo(f"{sent} sent")
    elif any(decision.record for decision in decisions):
        click.echo("nothing was sent: add --yes to send")
    if refused or missing:
        click.get_current_context().exit(1)


def _change(fix_file: str | None, export_file: Path | None) -> tuple[Change, str, set[str] | None]:
    """Return the function that changes the records, its label, and the ids of the only dead letters to replay."""
    if fix_file:
        fix = load(fix_file)
        return lambda rejected: fix(rejected.record), fix.label, None
    if export_file:
        lines = read(export_file)
        return (
            lambda rejected: edited(rejected.record, lines[rejected.letter.event_id]),
            f"edited export {export_file.name}",
            set(lines),
        )
    return unchanged, "", None


def _print_decisions(decisions: list[Decision]) -> None:
    for what, some in _sorted_out(decisions):
        click.echo(f"{len(some)} {what}")
        for decision in some[:_SHOWN_DECISIONS]:
            click.echo("\n".join(f"  {line}" for line in _decision_in_words(decision)))
        if len(some) > _SHOWN_DECISIONS:
            click.echo(f"  … and {len(some) - _SHOWN_DECISIONS} more")
    if not decisions:
        click.echo("no such dead letter")


def _sorted_out(decisions: list[Decision]) -> Iterator[tuple[str, list[Decision]]]:
    for what, some in (
        ("to be sent", [each for each in decisions if each.record is not None]),
        ("not to be sent", [each for each in decisions if each.record is None and not each.is_refused]),
        ("REFUSED", [each for each in decisions if each.is_refused]),
    ):
        if some:
            yield what, some


def _decision_in_words(decision: Decision) -> Iterator[str]:
    rejected: Rejected = decision.rejected
    key = shown_key(rejected.record.topic, rejected.record.key)
    yield f"{shown(rejected.letter.event_id)}  key {key}, rejected: {shown_reason(rejected.record.reason)}"
    if decision.why_not:
        yield f"    {shown_reason(decision.why_not)}"
    for note in decision.notes:
        yield f"    {shown(note)}"
    if decision.record is not None and decision.is_changed:
        yield from (f"    {line}" for line in difference(rejected.record, decision.record))
