"""Jobs on a cluster, with their restarts and failures: lists, cancels and stops them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NewType, TypeVar

from connectors.outage import await_server, report_on_stderr
from connectors.settings import Settings, variable
from ops.formats import utc
from ops.jobs.flink_rest import FlinkError, FlinkUnavailableError, ask
from ops.jobs.lost_jobs import forget

JobId = NewType("JobId", str)
_AnswerT = TypeVar("_AnswerT")

ENDED = ("FAILED", "CANCELED", "FINISHED")
POLL_SECONDS = 0.2
SAVEPOINT_WITHIN_SECONDS = 120.0
REMEMBERED_FAILURES = 16
"""Number of failures of a job that Flink keeps by default: `web.exception-history-size`."""
RECENT = timedelta(minutes=10)
"""Time after a failure in which a job may fail again: longer than Flink waits between two restarts."""


class JobError(FlinkError):
    """A job isn't in the expected state; the message gives its state and the reason."""


@dataclass(frozen=True)
class Job:
    """A job as the cluster knows it."""

    id: JobId
    name: str
    state: str
    """Flink's state: RUNNING, RESTARTING, FAILED, CANCELED, FINISHED…"""
    started_at: datetime
    tasks: int
    running_tasks: int

    @property
    def has_ended(self) -> bool:
        """Whether the job has stopped for good."""
        return self.state in ENDED


@dataclass(frozen=True)
class Failure:
    """A failure of a job, after which Flink restarted it or gave it up."""

    at: datetime
    cause: str
    """Root cause, in lines."""


@dataclass(frozen=True)
class Restarts:
    """Restarts and failures of a job since it was submitted or since the JobManager started."""

    number: int
    """Number of restarts; a failure that ended the job led to none."""
    failures: Sequence[Failure]
    """Last failures that Flink remembers, the latest first."""
    more_failures: bool = False
    """Whether Flink has forgotten earlier failures."""

    def in_a_row(self) -> Sequence[Failure]:
        """Return the latest failures, each of which followed the one before it within `RECENT`."""
        for place, (later, earlier) in enumerate(pairwise(self.failures), start=1):
            if later.at - earlier.at > RECENT:
                return self.failures[:place]
        return self.failures

    def continue_at(self, now: datetime) -> bool:
        """Return whether the job has failed so recently that it can't count as recovered."""
        return bool(self.failures) and now - self.failures[0].at <= RECENT

    def in_short(self, now: datetime) -> str:
        """Return one cell of a table: the number of restarts, and the start of the failures or the time of the last."""
        if not self.failures:
            return str(self.number)
        row = self.in_a_row()
        if len(row) > 1 and self.continue_at(now):
            return f"{self.number}, failing since {self._begin(row)}"
        return f"{self.number}, last at {utc(row[0].at)}"

    def in_full(self) -> str:
        """Return how the job failed, since when, and the last cause."""
        row = self.in_a_row()
        last = f"at {utc(row[0].at)}:\n{row[0].cause}"
        if len(row) == 1:
            return f"failed {last}"
        return f"failed again and again since {self._begin(row)}, the last time {last}"

    def _begin(self, row: Sequence[Failure]) -> str:
        forgotten = self.more_failures and len(row) == len(self.failures)
        return f"{'before ' if forgotten else ''}{utc(row[-1].at)}"


def all_jobs(settings: Settings) -> list[Job]:
    """Return every job that the cluster remembers, the latest first.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    found = [_job(each) for each in ask(settings, "GET", "jobs/overview")["jobs"]]
    return sorted(found, key=lambda job: job.started_at, reverse=True)


def find(settings: Settings, text: str) -> Job:
    """Return the one job that has not ended with this name or beginning of its id.

    Raises:
        JobError: there is none, or more than one.
    """
    alive = [job for job in all_jobs(settings) if not job.has_ended]
    matching = [job for job in alive if text == job.name or job.id.startswith(text)]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(f"{job.name} ({job.id})" for job in matching or alive)
    if matching:
        raise JobError(f"several jobs match {text!r}: {known}; give the id")
    raise JobError(f"no job {text!r} runs; there are: {known}" if known else f"no job {text!r} runs; none does")


def group_prefix(settings: Settings, job: Job) -> str:
    """Return the prefix of a job's consumer group; empty if it wasn't submitted by `ops`."""
    configuration = ask(settings, "GET", f"jobs/{job.id}/config")
    parameters = configuration.get("execution-config", {}).get("user-config", {})
    return str(parameters.get(variable("consumer_group_prefix"), ""))


def wait_until_running(settings: Settings, job_id: JobId, deadline_seconds: float = 180.0) -> None:
    """Wait until every task of a job runs.

    Raises:
        JobError: it ended, or doesn't run in time; with the reason of its last failure if there was one.
        FlinkUnavailableError: the cluster doesn't answer in time.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        job = _asking_again(settings, lambda: known(settings, job_id), deadline)
        if job.state == "RUNNING" and job.running_tasks == job.tasks:
            return
        if job.has_ended or time.monotonic() > deadline:
            waited = "" if job.has_ended else f" after {deadline_seconds:.0f} s"
            raise JobError(
                f"{job.name} ({job_id}) is {job.state}{waited}, with {job.running_tasks} of {job.tasks} tasks running\n"
                f"{last_failure(settings, job_id) or _slots_in_words(settings)}"
            )
        time.sleep(POLL_SECONDS)


def last_failure(settings: Settings, job_id: JobId) -> str:
    """Return the lines of the root cause of a job's last failure; empty if it never failed."""
    failures, _ = _failures(settings, job_id)
    return failures[0].cause if failures else ""


def restarts(settings: Settings, job: Job) -> Restarts:
    """Return a job's restarts and failures.

    Flink's counter and its history may each be some seconds old, so either may be behind the other.
    """
    failures, more = _failures(settings, job.id)
    counted = ask(settings, "GET", f"jobs/{job.id}/metrics?get=numRestarts")
    seen = len(failures) - (job.state == "FAILED")
    number = max([0, seen, *(int(each["value"]) for each in counted)])
    forgotten = len(failures) >= REMEMBERED_FAILURES and number > seen
    return Restarts(number, failures, more_failures=more or forgotten)


def _failures(settings: Settings, job_id: JobId) -> tuple[list[Failure], bool]:
    """Return the last failures that Flink remembers, the latest first, and whether it has forgotten others."""
    history = ask(settings, "GET", f"jobs/{job_id}/exceptions")["exceptionHistory"]
    failures = [
        Failure(datetime.fromtimestamp(each["timestamp"] / 1000, UTC), root_cause(each["stacktrace"]))
        for each in history["entries"]
    ]
    return failures, history["truncated"]


def root_cause(stacktrace: str) -> str:
    """Return the last cause of a Java stack trace without its frames; a Python traceback in it stays whole."""
    kept: list[str] = []
    for line in stacktrace.splitlines():
        if line.startswith("Caused by: "):
            kept.clear()
        if not line.startswith("\tat ") and not line.startswith("\t... "):
            kept.append(line.removeprefix("Caused by: "))
    return "\n".join(kept)


def cancel(settings: Settings, job_id: JobId, deadline_seconds: float = 60.0) -> None:
    """Cancel a job and wait until it has ended; its last checkpoints stay.

    Raises:
        JobError: it is still running at the deadline.
    """
    ask(settings, "PATCH", f"jobs/{job_id}?mode=cancel")
    _wait_until_ended(settings, job_id, deadline_seconds)


def stop_with_savepoint(
    settings: Settings, job_id: JobId, deadline_seconds: float = SAVEPOINT_WITHIN_SECONDS, *, drain: bool = False
) -> str:
    """Let a job finish what it has read, save its state and stop; return the savepoint's path.

    Args:
        drain: also emit open windows, and let all timers fire, as if no record could come any more. This is final: a
            job that resumes from there treats later records as late.

    Raises:
        JobError: the savepoint could not be made, in which case the job continues, or not in time.
    """
    request = ask(settings, "POST", f"jobs/{job_id}/stop", {"drain": drain})["request-id"]
    deadline = time.monotonic() + deadline_seconds
    while True:
        answer = _asking_again(settings, lambda: ask(settings, "GET", f"jobs/{job_id}/savepoints/{request}"), deadline)
        if answer["status"]["id"] == "COMPLETED":
            break
        if time.monotonic() > deadline:
            raise JobError(f"the savepoint of {job_id} was not complete after {deadline_seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    operation = answer["operation"]
    if "location" not in operation:
        raise JobError(f"no savepoint of {job_id}: {root_cause(operation['failure-cause']['stack-trace'])}")
    _wait_until_ended(settings, job_id, deadline_seconds)
    return str(operation["location"])


def _wait_until_ended(settings: Settings, job_id: JobId, deadline_seconds: float) -> None:
    """Wait until the job has ended, and only then delete its note: until then, the job can be lost."""
    deadline = time.monotonic() + deadline_seconds
    while not (job := _asking_again(settings, lambda: known(settings, job_id), deadline)).has_ended:
        if time.monotonic() > deadline:
            raise JobError(f"{job.name} ({job_id}) is still {job.state} after {deadline_seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    _asking_again(settings, lambda: forget(settings, job_id), deadline)


def _asking_again(settings: Settings, use: Callable[[], _AnswerT], deadline: float) -> _AnswerT:
    """Return what `use` returns; while the cluster is unavailable, wait for it until the deadline."""
    cluster, left = f"the Flink cluster at {settings.flink_rest_url}", deadline - time.monotonic()
    return await_server(cluster, use, FlinkUnavailableError, report_on_stderr, limit_seconds=left)


def known(settings: Settings, job_id: JobId) -> Job:
    """Return the job with this id, also if it has ended.

    Raises:
        JobError: the cluster doesn't know it.
    """
    for job in all_jobs(settings):
        if job.id == job_id:
            return job
    raise JobError(
        f"the cluster at {settings.flink_rest_url} doesn't know job {job_id}: was the cluster restarted since?"
    )


def _slots_in_words(settings: Settings) -> str:
    overview = ask(settings, "GET", "overview")
    return f"{overview['slots-available']} of the cluster's {overview['slots-total']} slots are free"


def _job(answer: dict[str, Any]) -> Job:
    return Job(
        id=JobId(answer["jid"]),
        name=answer["name"],
        state=answer["state"],
        started_at=datetime.fromtimestamp(answer["start-time"] / 1000, UTC),
        tasks=answer["tasks"]["total"],
        running_tasks=answer["tasks"]["running"],
    )
