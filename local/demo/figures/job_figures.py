"""What does the fraud job say of itself? Its own counts, from Flink's REST API."""

from dataclasses import dataclass

from connectors.settings import Settings
from ops.jobs.flink_rest import ask
from ops.jobs.jobs import JobId, known, restarts

TAKES_IN_PAYMENTS = "ProcessTableFunction"
"""In the name of the vertex that computes features: it reads each payment that decodes once."""


@dataclass(frozen=True)
class JobFigures:
    """At one moment."""

    accepted: int
    """Payments that were taken in since the job's last start."""
    restarts: int
    """How often it started again, which sets its own counts back."""

    @property
    def accepted_in_all(self) -> int | None:
        """Payments that were taken in since the job was submitted; None if nobody has counted them."""
        return None if self.restarts else self.accepted


def job_figures(settings: Settings, job_id: JobId) -> JobFigures:
    """Ask Flink.

    Raises:
        FlinkError: it doesn't answer.
    """
    job = ask(settings, "GET", f"jobs/{job_id}")
    accepted = sum(
        vertex["metrics"]["read-records"] for vertex in job["vertices"] if TAKES_IN_PAYMENTS in vertex["name"]
    )
    return JobFigures(accepted, restarts(settings, known(settings, job_id)).number)
