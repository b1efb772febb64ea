"""Command `submit`, and what the submission of a SQL pipeline shares with it."""

from collections.abc import Callable, Iterable

import click

from connectors.settings import Settings
from ops.jobs.cluster_jobs import JobId
from ops.jobs.submit import of_job, send


def submission_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the command-line options of every submission."""
    for option in (
        click.option(
            "-D",
            "definitions",
            multiple=True,
            metavar="KEY=VALUE",
            help="A Flink option, which overrides flink-conf/; repeatable.",
        ),
        click.option("--parallelism", type=click.IntRange(min=1), help="Number of slots that each job takes."),
        click.option("--savepoint", help="Path of a savepoint or retained checkpoint to start from."),
    ):
        command = option(command)
    return command


def print_submitted(name: str, job_id: JobId, settings: Settings) -> None:
    """Print the job's id and the address of its page in Flink's web UI."""
    click.echo(f"{name} is submitted: {job_id}\n{settings.flink_rest_url.rstrip('/')}/#/job/running/{job_id}/overview")


@click.command("submit")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@submission_options
def submit_command(
    jobs: tuple[str, ...], savepoint: str | None, parallelism: int | None, definitions: tuple[str, ...]
) -> None:
    """Submit each JOB, a module of jobs/, to the cluster.

    Several at once take little longer than one.
    """
    if savepoint is not None and len(jobs) > 1:
        raise click.UsageError("a savepoint belongs to one job: submit the others without it")
    settings = Settings.from_environment()
    submissions = [of_job(job) for job in jobs]
    ids = send(submissions, settings, savepoint=savepoint, parallelism=parallelism, options=parsed(definitions))
    for job, job_id in zip(jobs, ids, strict=True):
        print_submitted(job, job_id, settings)


def parsed(definitions: Iterable[str]) -> dict[str, str]:
    """Parse KEY=VALUE of the command line."""
    return dict(_split(definition) for definition in definitions)


def _split(definition: str) -> tuple[str, str]:
    key, equals, value = definition.partition("=")
    if not equals:
        raise click.BadParameter(f"{definition!r} is not KEY=VALUE", param_hint="-D")
    return key, value
