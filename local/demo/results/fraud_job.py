"""Reads the fraud job's own counters from Flink's REST API."""

from dataclasses import dataclass

from connectors.settings import Settings
from ops.jobs.cluster_jobs import JobId, known, restarts
from ops.jobs.flink_rest import ask

TAKES_IN_PAYMENTS = "ProcessTableFunction"
"""Part of the name of the vertex that computes features: it reads each payment that decodes once."""


@dataclass(frozen=True)
class JobFigures:
    """Counters of the job at one moment."""

    accepted: int
    """Payments that were read since the job's last start."""
    restarts: int
    """Number of restarts, each of which resets the job's own counters."""

    @property
    def accepted_in_all(self) -> int | None:
        """Payments that were read since the job was submitted; None if a restart has reset the counter."""
        return None if self.restarts else self.accepted


def job_figures(settings: Settings, job_id: JobId) -> JobFigures:
    """Read the counters from Flink.

    Raises:
        FlinkError: it doesn't answer.
    """
    job = ask(settings, "GET", f"jobs/{job_id}")
    accepted = sum(
        vertex["metrics"]["read-records"] for vertex in job["vertices"] if TAKES_IN_PAYMENTS in vertex["name"]
    )
    return JobFigures(accepted, restarts(settings, known(settings, job_id)).number)
