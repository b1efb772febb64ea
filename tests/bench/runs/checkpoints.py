"""Triggers a checkpoint of the running job and reads its size and duration."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.settings import Settings
from ops.jobs.cluster_jobs import all_jobs
from ops.jobs.flink_rest import ask
from tests.bench.contenders.kinds import ContenderError

CHECKPOINT_WITHIN_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Checkpoint:
    """A completed checkpoint."""

    bytes: int
    """Size of the whole state."""
    seconds: float
    """Duration from its trigger to its end."""


def checkpoint(settings: Settings) -> Checkpoint:
    """Trigger a checkpoint of the job that was submitted last, and wait for it.

    Raises:
        ContenderError: it isn't complete in time.
    """
    job = all_jobs(settings)[0]
    before = _completed(settings, job.id)
    ask(settings, "POST", f"jobs/{job.id}/checkpoints", {"checkpointType": "FULL"})
    deadline = time.monotonic() + CHECKPOINT_WITHIN_SECONDS
    while (last := _completed(settings, job.id)) is None or (before and last["id"] == before["id"]):
        if time.monotonic() > deadline:
            raise ContenderError(f"{job.name}: no checkpoint in {CHECKPOINT_WITHIN_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    return Checkpoint(last["state_size"], last["end_to_end_duration"] / 1000)


def _completed(settings: Settings, job_id: str) -> Mapping[str, int] | None:
    latest: Mapping[str, int] | None = ask(settings, "GET", f"jobs/{job_id}/checkpoints")["latest"]["completed"]
    return latest
