"""Commands `jobs`."""

from datetime import UTC, datetime

import click

from connectors.settings import Settings
from ops.cli import CommandGroup
from ops.formats import table, utc
from ops.jobs.cluster_jobs import Job, Restarts, all_jobs, cancel, find, restarts, stop_with_savepoint
from ops.jobs.lost_jobs import lost_jobs


@click.group("jobs", cls=CommandGroup)
def jobs() -> None:
    """List, cancel and stop the cluster's jobs."""


@jobs.command("list")
def jobs_list() -> None:
    """List the jobs that the cluster remembers.

    Shows their restarts, the last cause of those that fail, and the jobs that a JobManager has lost.
    """
    settings = Settings.from_environment()
    found = all_jobs(settings)
    lost = [job.in_words() for job in lost_jobs(settings)]
    if not found:
        click.echo("\n\n".join([f"no jobs on {settings.flink_rest_url}", *lost]))
        return
    now = datetime.now(UTC)
    known = {job.id: restarts(settings, job) for job in found}
    rows = [
        (
            job.name,
            job.state,
            f"{job.running_tasks}/{job.tasks}",
            utc(job.started_at),
            known[job.id].in_short(now),
            job.id,
        )
        for job in found
    ]
    click.echo(table(("job", "state", "tasks", "started", "restarts", "id"), rows))
    for job in found:
        if _fails(job, known[job.id], now):
            click.echo(f"\n{job.name} ({job.id}) {known[job.id].in_full()}")
    for words in lost:
        click.echo(f"\n{words}")


def _fails(job: Job, found: Restarts, now: datetime) -> bool:
    if job.state in {"FINISHED", "CANCELED"} or not found.failures:
        return False
    return job.state in {"RESTARTING", "FAILING", "FAILED"} or found.continue_at(now)


@jobs.command("cancel")
@click.argument("job")
def jobs_cancel(job: str) -> None:
    """Cancel JOB (a name or id) at once.

    It can be submitted again from its last checkpoint.
    """
    settings = Settings.from_environment()
    found = find(settings, job)
    cancel(settings, found.id)
    click.echo(f"{found.name} ({found.id}) is cancelled")


@jobs.command("savepoint")
@click.argument("job")
def jobs_savepoint(job: str) -> None:
    """Stop JOB (a name or id) with a savepoint.

    It can be submitted again from the savepoint.
    """
    settings = Settings.from_environment()
    found = find(settings, job)
    path = stop_with_savepoint(settings, found.id)
    click.echo(
        f"{found.name} ({found.id}) is stopped; continue with\n  python -m ops submit {found.name} --savepoint {path}"
    )
