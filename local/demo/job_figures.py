"""What does the fraud job say of itself? Its own counts, from Flink's REST API."""

from dataclasses import dataclass

from connectors.settings import Settings
from ops.flink_rest import ask

TAKES_IN_PAYMENTS = "ProcessTableFunction"
"""In the name of the vertex that computes features: it reads each payment that decodes once."""


@dataclass(frozen=True)
class JobFigures:
    """At one moment."""

    accepted: int
    """Payments that were taken in since the job's last start."""
    restarts: int


def job_figures(settings: Settings, job_id: str) -> JobFigures:
    """Ask Flink.

    Raises:
        FlinkError: it doesn't answer.
    """
    job = ask(settings, "GET", f"jobs/{job_id}")
    accepted = sum(
        vertex["metrics"]["read-records"] for vertex in job["vertices"] if TAKES_IN_PAYMENTS in vertex["name"]
    )
    failures = ask(settings, "GET", f"jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
    return JobFigures(accepted, len(failures))
