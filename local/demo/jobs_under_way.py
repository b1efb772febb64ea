"""Which jobs run in the demo, how are they brought up beside other things, and how are they ended?"""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Self

from connectors.settings import Settings, variable
from local.demo.picture import JOBS, PIPELINES, Box
from local.demo.saying import say
from ops.flink_rest import FlinkError, ask
from ops.jobs import ENDED, JobId, stop_with_savepoint, wait_until_running
from ops.pipelines import of_pipeline
from ops.submit import of_job, send

STOP_SECONDS = 180.0
OPTIONS = {"execution.checkpointing.interval": "3s", "execution.checkpointing.min-pause": "1s"}
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
        self._pool = ThreadPoolExecutor(1)
        self._ids: Future[dict[Box, JobId]] | None = None

    def __enter__(self) -> Self:
        self._ids = self._pool.submit(self._submit)
        return self

    def __exit__(self, *_: object) -> None:
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

    def stop(self, boxes: Iterable[Box], *, drain: bool = False) -> None:
        """Stop them side by side with a savepoint, by which all that they have to say is said.

        Raises:
            FlinkError: one of them could not be stopped.
        """
        chosen = list(boxes)
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda box: self._stop(self[box], drain), chosen))

    def _stop(self, job_id: JobId, drain: bool) -> None:
        """Stop a job; if one of its tasks fails meanwhile, it goes on, and is stopped when all of it runs again."""
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            wait_until_running(self._settings, job_id)
            try:
                stop_with_savepoint(self._settings, job_id, drain=drain)
                return
            except FlinkError:
                if time.monotonic() > deadline or ask(self._settings, "GET", f"jobs/{job_id}")["state"] in ENDED:
                    raise

    def _submit(self) -> dict[Box, JobId]:
        boxes = (*JOBS, *PIPELINES)
        say(f"jobs: submitting {', '.join(box.name for box in boxes)}")
        never_idle = {variable("source_idle_seconds"): NEVER_IDLE_SECONDS}
        submissions = [
            *(of_job(box.name) for box in JOBS),
            *(replace(of_pipeline(box.name), variables=never_idle) for box in PIPELINES),
        ]
        return dict(zip(boxes, send(submissions, self._settings, options=OPTIONS), strict=True))
