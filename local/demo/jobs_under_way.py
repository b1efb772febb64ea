"""Which jobs run in the demo, how are they brought up beside other things, and how are they ended?"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Self

from connectors.settings import Settings, variable
from jobs.flow import JOBS, PIPELINES, Box
from local.demo.saying import say
from ops.jobs.flink_rest import FlinkError, ask
from ops.jobs.jobs import ENDED, JobError, JobId, stop_with_savepoint, wait_until_running
from ops.jobs.pipelines import of_pipeline
from ops.jobs.submit import of_job, send

RETRY_SECONDS = 1.0
STOPPED = "FINISHED"
"""State of a job that was stopped, also if Flink's answer was lost."""
CHECKPOINT_SECONDS = 3
OPTIONS = {"execution.checkpointing.interval": f"{CHECKPOINT_SECONDS}s", "execution.checkpointing.min-pause": "1s"}
"""What waits for a checkpoint, as enriched orders and offsets do, is seen sooner than with the usual ten seconds."""
NEVER_IDLE_SECONDS = "86400"
"""Of a pipeline, since it is drained: what Flink says then, that time is over, it keeps from those behind a source that
is idle, and their last windows would stay open."""


class JobsUnderWay:
    """All of them, from their submission on.

    It goes on while the shop is prepared. One client submits all: its start, and the first job's planning, are most
    of the work, and six clients side by side took as long as in a row on two cores, and six times the memory.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(len(JOBS) + len(PIPELINES))
        self._over = Event()
        self._ids: Future[dict[Box, JobId]] | None = None

    def __enter__(self) -> Self:
        self._ids = self._pool.submit(self._submit)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def __getitem__(self, box: Box) -> JobId:
        """Waits until it is submitted.

        Raises:
            FlinkError: it could not be.
        """
        assert self._ids
        return self._ids.result()[box]

    def wait_until_running(self) -> None:
        """All of them.

        Raises:
            FlinkError: one of them doesn't run.
        """
        for box in (*JOBS, *PIPELINES):
            wait_until_running(self._settings, self[box])
            say(f"{box.name}: running; look at it: {self._settings.flink_rest_url}/#/job/{self[box]}/overview")

    def stop(self, boxes: Iterable[Box], *, drain: bool = False) -> list[Future[None]]:
        """Begin to stop them side by side with a savepoint, by which all that they have to emit is emitted.

        Returns:
            One for each job, done when it has ended; with a `FlinkError` if it ended in another way.
        """
        return [self._pool.submit(self._stop, self[box], drain) for box in boxes]

    def _stop(self, job_id: JobId, drain: bool) -> None:
        """Stop a job as soon as all of its tasks run; while Flink is away or a task fails, try again."""
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

    def _submit(self) -> dict[Box, JobId]:
        boxes = (*JOBS, *PIPELINES)
        say(f"jobs: submitting {', '.join(box.name for box in boxes)}")
        never_idle = {variable("source_idle_seconds"): NEVER_IDLE_SECONDS}
        submissions = [
            *(of_job(box.name) for box in JOBS),
            *(replace(of_pipeline(box.name), variables=never_idle) for box in PIPELINES),
        ]
        return dict(zip(boxes, send(submissions, self._settings, options=OPTIONS), strict=True))
