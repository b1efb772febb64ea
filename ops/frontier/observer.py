"""Frontiers of all arrows and sinks at one moment, from the answers of Kafka and Flink."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from kafka import TopicPartition

from connectors.kafka.topics import Topic
from jobs.flow import PRODUCERS, SEARCH_INDEX, Program
from ops.frontier import answers
from ops.frontier.answers import Ends, UnreadRecords
from ops.frontier.arithmetic import Frontier, Limit, NotYetError, UnknownError, combined, reflected
from ops.frontier.arrows import ARROWS, SINKS, Arrow, leading_to
from ops.frontier.contained import Contained
from ops.health.answers.brokers import NONE, Offsets
from ops.health.check import in_one_line
from ops.health.scope import Scope


@dataclass(frozen=True)
class Question:
    """What has to be known of one arrow."""

    arrow: Arrow
    offsets: Offsets
    """Offset of each partition of its topic before which all is read, and durable."""
    watermark: int | None = None
    """Watermark that has passed in the steps that hold results back; None if none do."""
    pending: Offsets = field(default_factory=dict)
    """Offset of each partition of the topics that the program writes from which on a reader may not see records yet."""


def answered(question: Question, unread: UnreadRecords, ends: Ends) -> Frontier:
    """Return the frontier of an arrow.

    Args:
        ends: were asked for last. So the results of all records before `offsets` are before them: at least in a
            transaction that is still open.

    Raises:
        UnknownError: it can't be known.
    """
    limits: list[Limit] = []
    for partition, offset in question.offsets.items():
        if offset > ends.offsets[partition]:
            raise UnknownError(
                f"partition {partition.partition} ends at {ends.offsets[partition]:,}, before the committed offset "
                f"{offset:,}: was the topic made anew?"
            )
        if earliest := unread.since(partition, offset, ends.offsets[partition]):
            limits.append(Limit(earliest[0] - 1, earliest[1] - 1, f"partition {partition.partition}"))
    for partition, offset in question.pending.items():
        if earliest := unread.since(partition, offset, ends.offsets[partition]):
            held_by = f"a transaction in partition {partition.partition} of {partition.topic}"
            limits.append(Limit(earliest[1] - 1, earliest[1] - 1, held_by))
    newest = max((ends.newest[each] for each in question.offsets), default=NONE)
    if question.watermark is not None and question.arrow.held:
        up_to = question.arrow.held.reached(question.watermark)
        if newest > up_to:
            limits.append(Limit(up_to, up_to, "event time of the job"))
    return reflected(limits, None if newest == NONE else newest)


@dataclass(frozen=True)
class Picture:
    """Frontiers at one moment."""

    at: datetime
    arrows: Mapping[Arrow, Frontier]

    def sinks(self) -> dict[str, Frontier]:
        """Return the frontier of each kind of sink, in event time of the sources, as far as arrows lead to it."""
        ways = {sink: leading_to(sink, tuple(self.arrows)) for sink in SINKS}
        return {sink: self._combined(way) for sink, way in ways.items() if any(each.sink == sink for each in way)}

    def whole(self) -> Frontier:
        """Return the frontier of all sinks."""
        return self._combined(list(self.arrows))

    def may_be_known_soon(self) -> bool:
        """Return whether a frontier that is unknown may be known in a few seconds."""
        return any(each.may_come for each in self.arrows.values())

    def _combined(self, arrows: Sequence[Arrow]) -> Frontier:
        sources = {topic for producer in PRODUCERS for topic in producer.writes}
        times = [self.arrows[each].up_to for each in arrows if each.topic in sources]
        newest = max((time for time in times if time is not None), default=None)
        return combined({str(each): self.arrows[each] for each in arrows}, newest)


class Observer:
    """Finds frontiers again and again; remembers the records and watermarks that it has read."""

    def __init__(self) -> None:
        self._unread = UnreadRecords()
        self._contained: dict[Program, Contained] = {}

    def observe(self, scope: Scope, arrows: Sequence[Arrow] = ARROWS) -> Picture:
        """Return the frontiers now.

        The order matters: first the committed offsets, then watermarks and checkpoints, at last the topics' ends. All
        that the offsets stand for is before these ends.
        """
        frontiers: dict[Arrow, Frontier] = {}
        faults = {each: _fault(self._note, scope, each) for each in {arrow.program for arrow in arrows if arrow.held}}
        questions: list[Question] = []
        for arrow in arrows:
            try:
                questions.append(self._question(scope, arrow, faults.get(arrow.program)))
            except Exception as error:  # noqa: BLE001 - what is unknown of one arrow must not hide the others
                frontiers[arrow] = _unknown(error)
        try:
            ends = self._read(scope, questions)
            for each in questions:
                frontiers[each.arrow] = _answered_or_unknown(each, self._unread, ends)
        except Exception as error:  # noqa: BLE001 - a broker that fails in between is a reason like others
            frontiers |= {each.arrow: _unknown(error) for each in questions}
        return Picture(scope.now, {arrow: frontiers[arrow] for arrow in arrows})

    def _note(self, scope: Scope, program: Program) -> None:
        """Read the watermark of a program that holds results back."""
        committed = _committed(scope, program)
        found = [each for each in scope.checkpoints if each.job.job.name == program.name]
        if len(found) != 1:
            raise UnknownError(f"{len(found) or 'no'} jobs {program.name} are running, so their event time is unknown")
        held = next(each.held for each in ARROWS if each.program == program and each.held)
        reading = answers.reading(scope.settings, found[0], held.step)
        completed = [each.triggered_at for each in found[0].history if each.status == "COMPLETED"]
        self._contained.setdefault(program, Contained(held.late_waits)).note(reading, committed, completed)

    def _question(self, scope: Scope, arrow: Arrow, fault: Exception | None) -> Question:
        committed = _committed(scope, arrow.program)
        if arrow.program == SEARCH_INDEX:
            _ = scope.searchable
        pending = {
            each: scope.brokers.ends[each] for topic in arrow.program.writes for each in _partitions(scope, topic)
        }
        watermark = None
        if arrow.held:
            contained = self._contained.get(arrow.program, Contained())
            try:
                sample = contained.found
            except NotYetError as error:
                raise fault or error from fault
            committed, watermark = sample.committed, sample.reading.watermark
        # A partition of which nothing was read has no committed offset.
        offsets = {each: committed.get(each, 0) for each in _partitions(scope, arrow.topic)}
        return Question(arrow, offsets, watermark, pending)

    def _read(self, scope: Scope, questions: Sequence[Question]) -> Ends:
        begins: dict[TopicPartition, int] = {}
        for question in questions:
            for partition, offset in (*question.offsets.items(), *question.pending.items()):
                begins[partition] = min(offset, begins.get(partition, offset))
        if not begins:
            return Ends({}, {})
        ends = answers.ends(scope.settings, begins)
        with closing(answers.log_reader(scope.settings)) as consumer:
            self._unread.read(consumer, begins, ends.offsets)
        return ends


def _committed(scope: Scope, program: Program) -> Offsets:
    for group in scope.brokers.groups:
        if group.name == program.name and group.committed:
            return group.committed
    raise UnknownError(f"the consumer group {program.group(scope.settings)} has committed no offsets")


def _partitions(scope: Scope, topic: Topic) -> list[TopicPartition]:
    real = scope.brokers.topics.get(topic.name)
    if real is None:
        raise UnknownError(f"there is no topic {topic.name}")
    if real.leaderless:
        raise UnknownError(f"partitions of {topic.name} have no leader")
    return [TopicPartition(topic.name, number) for number in range(real.partitions)]


def _fault(note: Callable[[Scope, Program], None], scope: Scope, program: Program) -> Exception | None:
    try:
        note(scope, program)
    except Exception as error:  # noqa: BLE001 - the reason of the program's arrows, unless they are known without
        return error
    return None


def _answered_or_unknown(question: Question, unread: UnreadRecords, ends: Ends) -> Frontier:
    try:
        return answered(question, unread, ends)
    except UnknownError as error:
        return _unknown(error)


def _unknown(error: Exception) -> Frontier:
    text = str(error) if isinstance(error, UnknownError) else in_one_line(error)
    return Frontier(unknown=text, may_come=isinstance(error, NotYetError))
