"""Submits the demo's jobs in the background, and stops them."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Self

from connectors.settings import Settings, variable
from jobs.flow import JOBS, PIPELINES, Program
from local.demo.output import report
from ops.jobs.cluster_jobs import ENDED, JobError, JobId, stop_with_savepoint, wait_until_running
from ops.jobs.flink_rest import FlinkError, ask
from ops.jobs.pipelines import of_pipeline
from ops.jobs.submit import of_job, send

RETRY_SECONDS = 1.0
STOPPED = "FINISHED"
"""State of a job that was stopped, also if Flink's answer was lost."""
CHECKPOINT_SECONDS = 3
OPTIONS = {"execution.checkpointing.interval": f"{CHECKPOINT_SECONDS}s", "execution.checkpointing.min-pause": "1s"}
"""Options for the demo: what waits for a checkpoint, as enriched orders and offsets do, shows earlier than with the
usual ten seconds."""
NEVER_IDLE_SECONDS = "86400"
"""Source idleness of drained pipelines, in effect disabled: an idle source would withhold the final watermark and leave
the last windows open."""


class SubmittedJobs:
    """All jobs of the demo, from their submission on.

    Submission runs while the shop is prepared. One client submits all: its start, and the first job's planning, are
    most of the work; on two cores, six clients side by side took as long as in a row, and six times the memory.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(len(JOBS) + len(PIPELINES))
        self._over = Event()
        self._ids: Future[dict[Program, JobId]] | None = None

    def __enter__(self) -> Self:
        self._ids = self._pool.submit(self._submit)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def __getitem__(self, program: Program) -> JobId:
        """Return the job's id; wait until it is submitted.

        Raises:
            FlinkError: it could not be submitted.
        """
        assert self._ids
        return self._ids.result()[program]

    def wait_until_running(self) -> None:
        """Wait until all jobs run.

        Raises:
            FlinkError: one of them doesn't run.
        """
        for program in (*JOBS, *PIPELINES):
            wait_until_running(self._settings, self[program])
            report(
                f"{program.name}: running; look at it: {self._settings.flink_rest_url}/#/job/{self[program]}/overview"
            )

    def stop(self, programs: Iterable[Program], *, drain: bool = False) -> list[Future[None]]:
        """Begin to stop the jobs side by side with a savepoint, which makes them emit all that is pending.

        Returns:
            One future per job, done when it has ended; with a `FlinkError` if it ended in another way.
        """
        return [self._pool.submit(self._stop, self[program], drain) for program in programs]

    def _stop(self, job_id: JobId, drain: bool) -> None:
        """Stop a job as soon as all of its tasks run; while Flink is unavailable or a task fails, retry."""
        while not self._over.is_set():
            try:
                state = ask(self._settings, "GET", f"jobs/{job_id}")["state"]
                if state not in ENDED:
                    wait_until_running(self._settings, job_id, RETRY_SECONDS)
                    stop_with_savepoint(self._settings, job_id, drain=drain)
                    return
            except FlinkError:
                self._over.wait(RETRY_SECONDS)
                continue
            if state != STOPPED:
                raise JobError(f"job {job_id} is {state}, so it can't be stopped")
            return

    def _submit(self) -> dict[Program, JobId]:
        programs = (*JOBS, *PIPELINES)
        report(f"jobs: submitting {', '.join(program.name for program in programs)}")
        never_idle = {variable("source_idle_seconds"): NEVER_IDLE_SECONDS}
        submissions = [
            *(of_job(program.name) for program in JOBS),
            *(replace(of_pipeline(program.name), variables=never_idle) for program in PIPELINES),
        ]
        return dict(zip(programs, send(submissions, self._settings, options=OPTIONS), strict=True))
