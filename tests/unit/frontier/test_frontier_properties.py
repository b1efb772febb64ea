"""A frontier never runs ahead of what readers see, whatever happens in whichever order: crashes too.

The world below is a job with its topics: it knows of each record whether a reader sees its result. The observer sees
only what Kafka and Flink would answer at each of its steps, and other things happen between these.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition

from connectors.kafka.topics import ENRICHED_ORDERS, MINUTE_MS, ORDERS, PAYMENTS
from jobs import flow
from ops.frontier.answers import Ends, UnreadRecords
from ops.frontier.arithmetic import Frontier, UnknownError
from ops.frontier.arrows import Arrow
from ops.frontier.contained import Attempt, Contained, Reading
from ops.frontier.observer import Question, answered
from tests.unit.health.fake_consumer import Consumer

AT_ONCE = Arrow(flow.FRAUD_DETECTION, PAYMENTS)
IN_TRANSACTIONS = Arrow(flow.ORDER_ENRICHMENT, ORDERS)
OF_WINDOWS = Arrow(flow.REVENUE, ENRICHED_ORDERS)
PARTITIONS = 2
NO_WATERMARK = -(2**63)
STEP_MS = 25_000
OUT = TopicPartition("out", 0)


@dataclass(frozen=True)
class Result:
    """Result of a record, in the output topic; None is the mark of a transaction."""

    record: tuple[int, int] | None
    time: int
    transaction: int | None


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint."""

    triggered_at: int
    read: tuple[int, ...]
    held: frozenset[tuple[int, int]]
    transactions: frozenset[int]
    """Those that are committed once it is completed."""


@dataclass
class World:
    """A job with two input partitions, and an output topic of one partition."""

    arrow: Arrow
    tick: int = 0
    inputs: list[list[int]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    """Event times of the records, by partition and offset."""
    output: list[Result] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    """Transactions that are neither committed nor aborted."""
    aborted: set[int] = field(default_factory=set)
    committed: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    started_at: int = 0
    runs: bool = True
    read: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    held: set[tuple[int, int]] = field(default_factory=set)
    late: set[tuple[int, int]] = field(default_factory=set)
    """Of those held, those that wait for the next watermark."""
    buffered: list[tuple[int, int]] = field(default_factory=list)
    """Results that are in no topic yet."""
    watermark: int = NO_WATERMARK
    transaction: int = 0
    prepared: set[int] = field(default_factory=set)
    under_way: list[Snapshot] = field(default_factory=list)
    completed: list[Snapshot] = field(default_factory=list)
    to_tell: list[Snapshot] = field(default_factory=list)
    """Completed checkpoints whose offsets aren't committed yet."""
    metrics: tuple[int, str] = (NO_WATERMARK, "none")
    """Watermark and age that Flink has fetched."""

    @property
    def is_transactional(self) -> bool:
        return self.arrow == IN_TRANSACTIONS

    def time_of(self, record: tuple[int, int]) -> int:
        return self.inputs[record[0]][record[1]]

    def due_at(self, record: tuple[int, int]) -> int:
        """Watermark at which the result of a record is emitted."""
        time = self.time_of(record)
        return (time // MINUTE_MS + 1) * MINUTE_MS - 1 if self.arrow == OF_WINDOWS else time

    # What happens.

    def produce(self, number: int) -> None:
        """A record comes, out of order by up to nine steps, or far too late."""
        behind = 60 if number in {2, 3} else 9 - number * 2
        self.inputs[number % PARTITIONS].append(max(0, self.tick - behind) * STEP_MS)

    def take(self, number: int) -> None:
        """The job reads a record."""
        partition = number % PARTITIONS
        if not self.runs or self.read[partition] == len(self.inputs[partition]):
            return
        record = (partition, self.read[partition])
        self.read[partition] += 1
        is_held = self.arrow != AT_ONCE and self.due_at(record) > self.watermark
        if is_held or self.arrow == OF_WINDOWS:
            self.held.add(record)
            if not is_held:
                self.late.add(record)
        else:
            self.buffered.append(record)

    def advance(self, number: int) -> None:
        """Event time advances by some steps, or passes most records: partitions may be slow, or idle."""
        if not self.runs:
            return
        behind = max(self.watermark, (self.tick - 80) * STEP_MS)
        watermark = (self.tick + 5) * STEP_MS if number == 9 else behind + number * STEP_MS
        if watermark > self.watermark:
            self.watermark = watermark
            passed = {each for each in self.held if each in self.late or self.due_at(each) <= watermark}
            self.held -= passed
            self.late -= passed
            self.buffered += sorted(passed)

    def flush(self, _number: int = 0) -> None:
        """The sink writes what it has buffered."""
        if not self.runs:
            return
        for record in self.buffered:
            transaction = None
            if self.is_transactional:
                transaction = self.transaction
                self.open.add(transaction)
            self.output.append(Result(record, self.time_of(record), transaction))
        self.buffered.clear()

    def trigger(self, _number: int) -> None:
        """A barrier passes all tasks."""
        if not self.runs:
            return
        self.flush()
        self.prepared.add(self.transaction)
        self.transaction += 1
        held = frozenset(self.held)
        self.under_way.append(Snapshot(self.tick, tuple(self.read), held, frozenset(self.prepared)))

    def complete(self, _number: int) -> None:
        """A checkpoint is complete; sources and sinks will be notified, in any order."""
        if self.runs and self.under_way:
            self.completed.append(self.under_way.pop(0))
            self.to_tell.append(self.completed[-1])

    def commit_offsets(self, _number: int) -> None:
        """The sources commit their offsets."""
        if self.runs and self.to_tell:
            self.committed = list(self.to_tell.pop().read)
            self.to_tell.clear()

    def commit_transactions(self, _number: int) -> None:
        """The sink commits the transactions of completed checkpoints."""
        if self.runs and self.completed:
            self._end(self.completed[-1].transactions & self.open)

    def kill(self, _number: int) -> None:
        """All tasks are killed; transactions stay as they are."""
        self.runs = False

    def restart(self, _number: int) -> None:
        """The job begins again with the last completed checkpoint, and ends the transactions that it finds."""
        if self.runs:
            return
        last = self.completed[-1] if self.completed else Snapshot(0, (0,) * PARTITIONS, frozenset(), frozenset())
        self._end(last.transactions & self.open)
        self.aborted |= self.open
        self._end(set(self.open))
        self.runs, self.started_at = True, self.tick
        self.read, self.held, self.late = list(last.read), set(last.held), set()
        self.buffered.clear()
        self.watermark = NO_WATERMARK
        self.transaction += 1
        self.prepared = set(last.transactions)
        self.under_way.clear()
        self.to_tell.clear()

    def _end(self, transactions: set[int] | frozenset[int]) -> None:
        for each in sorted(transactions):
            self.open.discard(each)
            self.output.append(Result(None, 0, each))

    # What readers and the observer see.

    @property
    def last_stable(self) -> int:
        """Offset of the first record of an open transaction, or the end."""
        ends = (offset for offset, each in enumerate(self.output) if each.record and each.transaction in self.open)
        return next(ends, len(self.output))

    def visible(self) -> set[tuple[int, int]]:
        """Records whose result a reader of committed records sees."""
        seen = (each for each in self.output[: self.last_stable] if each.transaction not in self.aborted)
        return {each.record for each in seen if each.record}

    def attempt(self) -> Attempt:
        return Attempt("job", _moment(self.started_at), None)

    def partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self.arrow.topic.name, number) for number in range(PARTITIONS)]


def _moment(tick: int) -> datetime:
    return datetime.fromtimestamp(tick, UTC)


class Watcher:
    """Asks for the frontier again and again, a step at a time, and compares each answer with the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: list[Frontier] = []
        self._contained = Contained(world.arrow == OF_WINDOWS)
        self._unread = UnreadRecords()
        self._steps = self._observe()

    def go_on(self, _number: int = 0) -> None:
        if next(self._steps, None) is None:
            self._steps = self._observe()

    def _observe(self) -> Iterator[str]:
        world = self.world
        asked = [
            (partition, offset) for partition in range(PARTITIONS) for offset in range(len(world.inputs[partition]))
        ]
        committed = dict(zip(world.partitions(), world.committed, strict=True))
        last_stable = world.last_stable
        yield "the brokers were asked for committed offsets and ends"
        attempt, completed = world.attempt(), [_moment(each.triggered_at) for each in world.completed]
        if world.runs:
            yield "Flink was asked for the job and its checkpoints"
            watermark, age = world.metrics
            if world.runs:  # each question lets Flink fetch metrics for the next one
                world.metrics = (world.watermark, str(world.tick - world.started_at))
            yield "Flink was asked for metrics"
            self._contained.note(
                Reading(attempt, {"": watermark}, {"": age}, _moment(world.tick)), committed, completed
            )
            yield "Flink was asked for its time"
        try:
            found = self._answer(committed, last_stable)
        except UnknownError:
            return
        self.answers.append(found)
        visible = world.visible()
        up_to = found.up_to if found.up_to is not None else -1
        ahead = [each for each in asked if each not in visible and (found.is_complete or world.time_of(each) <= up_to)]
        assert ahead == [], found

    def _answer(self, committed: dict[TopicPartition, int], last_stable: int) -> Frontier:
        world = self.world
        question = Question(world.arrow, committed)
        if world.arrow.held:
            sample = self._contained.found
            pending = {OUT: last_stable} if world.is_transactional else {}
            question = Question(world.arrow, sample.committed, sample.reading.watermark, pending)
        logs = dict(zip(world.partitions(), (dict(enumerate(each)) for each in world.inputs), strict=True))
        logs[OUT] = {offset: each.time for offset, each in enumerate(world.output) if each.record}
        ends = {partition: len(log) for partition, log in logs.items()} | {OUT: len(world.output)}
        newest = {partition: max(log.values(), default=-1) for partition, log in logs.items()}
        begins = {**question.offsets, **question.pending}
        consumer = Consumer({partition: list(log) for partition, log in logs.items()}, ends, times=logs)
        self._unread.read(consumer, begins, ends)
        return answered(question, self._unread, Ends(ends, newest))


ACTIONS = {
    "produce": 2,
    "take": 6,
    "advance": 3,
    "flush": 2,
    "trigger": 2,
    "complete": 2,
    "commit_offsets": 2,
    "commit_transactions": 2,
    "kill": 0.3,
    "restart": 1,
    "go_on": 12,
}
"""What happens, and how often."""


def live(world: World, watcher: Watcher, seed: int, steps: int) -> None:
    """Let things happen in an order that follows from the seed."""
    random = Random(seed)
    for action in random.choices(list(ACTIONS), list(ACTIONS.values()), k=steps):
        world.tick += 1
        getattr(watcher if action == "go_on" else world, action)(random.randrange(10))


def settle(world: World, watcher: Watcher) -> None:
    """Let the job run, and event time pass everything, until the watcher has seen it."""
    world.restart(0)
    world.under_way.clear()
    for _ in range(8):
        for number in range(PARTITIONS * max(map(len, world.inputs))):
            world.take(number)
        for action in (world.advance, world.trigger, world.complete, world.commit_offsets, world.commit_transactions):
            world.tick += 10
            action(9)
            watcher.go_on()


@pytest.mark.parametrize("arrow", [AT_ONCE, IN_TRANSACTIONS, OF_WINDOWS], ids=str)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_frontier_never_runs_ahead_of_what_readers_see(arrow: Arrow, seed: int) -> None:
    world = World(arrow)
    watcher = Watcher(world)

    live(world, watcher, seed, steps=400)
    settle(world, watcher)

    assert watcher.answers[-1].is_complete or not any(world.inputs)


def test_late_order_that_is_the_first_of_its_minute_is_missing_until_the_next_watermark() -> None:
    world = World(OF_WINDOWS, tick=100)
    watcher = Watcher(world)

    def go_on() -> None:
        for _ in range(30):
            world.tick += 1
            for action in (world.trigger, world.complete, world.commit_offsets, watcher.go_on):
                action(0)

    for number, time in enumerate([10 * MINUTE_MS, 10 * MINUTE_MS, MINUTE_MS]):
        world.inputs[number % PARTITIONS].append(time)
        world.take(number)
        world.advance(9 if number == 1 else 0)
    go_on()

    assert world.late == {(0, 1)}
    assert watcher.answers == []
    world.advance(9)
    go_on()
    world.advance(9)
    go_on()
    assert watcher.answers[-1].is_complete
