"""Watermarks that a completed checkpoint surely contains.

A result that waits for event time is emitted when the watermark passes its record. So of the records before an offset,
those up to a watermark have their results out, and durable, if

1. the offset was committed before the watermark was read: each checkpoint from then on contains these records;
2. the steps had emitted that watermark in the attempt in which it was read: each later barrier of the attempt finds
   them at least as far, so that no record up to it waits in their state;
3. where the result of a late record waits for the next watermark, one was emitted after 1. in that attempt;
4. a checkpoint that was triggered after that has been completed, by the same attempt.

Then it stays true, whatever restarts: sinks keep what a completed checkpoint has flushed. A restart before 4. proves
nothing, since the operators of the new attempt begin without a watermark, and may hold back late records that were read
since the checkpoint: that is why the attempt counts.

Flink answers with metrics that it has kept, which may be those of an attempt before. The ages of the tasks are measured
together with the watermarks, and read before them: when all have changed since another reading in this attempt, both
were measured after that one, and so in this attempt.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ops.frontier.arithmetic import NotYetError
from ops.health.answers.brokers import Offsets
from ops.health.answers.cluster import NO_WATERMARK

MOST_SAMPLES = 50
"""Maximum number of watermarks that wait for a checkpoint: one that contains the newest contains all."""


@dataclass(frozen=True)
class Attempt:
    """What changes whenever the tasks of a job start again."""

    job: str
    running_since: datetime
    restored_at: datetime | None


@dataclass(frozen=True)
class Reading:
    """Watermarks of a job at one moment."""

    attempt: Attempt
    watermarks: Mapping[str, int]
    """Watermark that each subtask of each step has emitted, in UTC milliseconds."""
    ages: Mapping[str, str]
    """Age of each task, in whatever words."""
    at: datetime
    """A time after the reading, by the JobManager's clock, as the times of checkpoints are."""

    @property
    def watermark(self) -> int:
        """The least of the watermarks."""
        return min(self.watermarks.values())

    def is_measured_after(self, other: "Reading") -> bool:
        """Return whether all was measured after another reading, in the attempt of both."""
        return self.attempt == other.attempt and all(
            age != other.ages.get(task, age) for task, age in self.ages.items()
        )

    def is_later_than(self, other: "Reading") -> bool:
        """Return whether each subtask has emitted a watermark since another reading."""
        return all(each > other.watermarks.get(name, each) for name, each in self.watermarks.items())


@dataclass
class Sample:
    """A watermark, and offsets that were committed before it was read."""

    committed: Offsets
    reading: Reading
    following: Reading | None = None
    """A reading that was measured after the offsets were committed."""
    advanced_at: datetime | None = None
    """A time before which a watermark later than that was emitted."""


class Contained:
    """The last watermark of a program that a completed checkpoint contains.

    Args:
        late_waits: whether results of late records wait for the next watermark.
    """

    def __init__(self, late_waits: bool = False) -> None:
        self._late_waits = late_waits
        self._before: Reading | None = None
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._found: Sample | None = None

    def note(self, reading: Reading, committed: Offsets, completed: Sequence[datetime]) -> None:
        """Take a reading.

        Args:
            committed: offsets that were asked for before the watermark.
            completed: when those checkpoints of the job were triggered that are completed.
        """
        samples = [each for each in self._samples if each.reading.attempt == reading.attempt]
        contained = [each for each in samples if self._is_contained(each, completed)]
        # After a restart, what was found before holds until event time has come as far again.
        if contained and (not self._found or contained[-1].reading.watermark >= self._found.reading.watermark):
            self._found = contained[-1]
        self._samples = deque((each for each in samples if each not in contained), MOST_SAMPLES)
        if self._before and reading.is_measured_after(self._before):
            for sample in self._samples:
                sample.following = sample.following or reading
                if sample.advanced_at is None and reading.is_later_than(sample.following):
                    sample.advanced_at = reading.at
            if reading.watermark != NO_WATERMARK:
                self._samples.append(Sample(committed, reading))
        self._before = reading

    @property
    def found(self) -> Sample:
        """The last sample that a completed checkpoint contains.

        Raises:
            NotYetError: there is none.
        """
        if self._found is None:
            waits = ", and no later one emitted" if self._late_waits else ""
            raise NotYetError(f"no checkpoint has been completed since its watermark was read{waits}")
        return self._found

    def _is_contained(self, sample: Sample, completed: Sequence[datetime]) -> bool:
        since = sample.advanced_at if self._late_waits else sample.reading.at
        return since is not None and any(triggered > since for triggered in completed)
