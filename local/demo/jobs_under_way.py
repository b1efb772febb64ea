"""Which jobs run in the demo, how are they brought up beside other things, and how are they ended?"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Self

from connectors.settings import Settings
from local.demo.picture import JOBS, PIPELINES, Box
from local.demo.saying import say
from ops import pipelines
from ops.jobs import JobId, stop_with_savepoint, wait_until_running
from ops.submit import submit

OPTIONS = {"execution.checkpointing.interval": "3s", "execution.checkpointing.min-pause": "1s"}
"""What waits for a checkpoint, as enriched orders and offsets do, is seen sooner than with the usual ten seconds."""
NEVER_IDLE_SECONDS = "86400"
"""Of a pipeline, since it is drained: what Flink says then, that time is over, it keeps from those behind a source that
is idle, and their last windows would stay open."""


class JobsUnderWay:
    """All of them, from the first one's submission on.

    They are submitted one after another: side by side six take as long as in a row on two cores, and six times the
    memory. What else there is to prepare meanwhile mostly waits for others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(1)
        self._submitted: dict[Box, Future[JobId]] = {}

    def __enter__(self) -> Self:
        for box in (*JOBS, *PIPELINES):
            self._submitted[box] = self._pool.submit(self._submit, box)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __getitem__(self, box: Box) -> JobId:
        """Waits until it is submitted.

        Raises:
            FlinkError: it could not be.
        """
        return self._submitted[box].result()

    def wait_until_running(self) -> None:
        """All of them.

        Raises:
            FlinkError: one of them doesn't run.
        """
        for box in self._submitted:
            wait_until_running(self._settings, self[box])
            say(f"{box.name}: running; look at it: {self._settings.flink_rest_url}/#/job/{self[box]}/overview")

    def stop(self, boxes: Iterable[Box], *, drain: bool = False) -> None:
        """Stop them side by side with a savepoint, by which all that they have to say is said.

        Raises:
            FlinkError: one of them could not be stopped.
        """
        chosen = list(boxes)
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda box: stop_with_savepoint(self._settings, self[box], drain=drain), chosen))

    def _submit(self, box: Box) -> JobId:
        say(f"{box.name}: submitting")
        if box in PIPELINES:
            settings = replace(self._settings, source_idle_seconds=NEVER_IDLE_SECONDS)
            return pipelines.submit(box.name, settings, options=OPTIONS)
        return submit(box.name, self._settings, options=OPTIONS)
