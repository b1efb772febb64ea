"""Commands `jobs`, `submit` and `sql`."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import click

import sql
from connectors.settings import Settings
from jobs.environment import stream_environment
from jobs.flink_errors import FLINK_ERRORS, reason
from jobs.sql_pipeline import Planned, run
from ops.cli import FAULTS, CommandGroup
from ops.formats import table, utc
from ops.jobs.cluster_jobs import Job, JobId, Restarts, all_jobs, cancel, find, restarts, stop_with_savepoint
from ops.jobs.flink_rest import FlinkAwayError
from ops.jobs.lost_jobs import lost_jobs
from ops.jobs.pipelines import PipelineError, comparison, keep_plan, pipeline_file, planned_pipelines, problems, submit
from ops.jobs.submit import of_job, require_alone, send
from sql import SqlFileError
from sql.tools.pipeline import PipelineFile


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


def _submission_options(command: Callable[..., None]) -> Callable[..., None]:
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


def _print_submitted(name: str, job_id: JobId, settings: Settings) -> None:
    """Print the job's id and the address of its page in Flink's web UI."""
    click.echo(f"{name} is submitted: {job_id}\n{settings.flink_rest_url.rstrip('/')}/#/job/running/{job_id}/overview")


@click.command("submit")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@_submission_options
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
    ids = send(submissions, settings, savepoint=savepoint, parallelism=parallelism, options=_parsed(definitions))
    for job, job_id in zip(jobs, ids, strict=True):
        _print_submitted(job, job_id, settings)


def _parsed(definitions: Iterable[str]) -> dict[str, str]:
    """Parse KEY=VALUE of the command line."""
    return dict(_split(definition) for definition in definitions)


def _split(definition: str) -> tuple[str, str]:
    key, equals, value = definition.partition("=")
    if not equals:
        raise click.BadParameter(f"{definition!r} is not KEY=VALUE", param_hint="-D")
    return key, value


@click.group("sql", cls=CommandGroup)
def sql_pipelines() -> None:
    """Run, check and compare SQL pipelines."""


@sql_pipelines.command("run")
@click.argument("pipeline")
@click.option(
    "--target", type=click.Choice(["local", "cluster"]), default="local", help="Run it here, or on the cluster."
)
@_submission_options
def sql_run(
    pipeline: str, target: str, savepoint: str | None, parallelism: int | None, definitions: tuple[str, ...]
) -> None:
    """Run PIPELINE here or on the cluster.

    PIPELINE is a name of sql/pipelines, or the path of any .sql file.
    """
    settings = Settings.from_environment()
    options = _parsed(definitions)
    if target == "cluster":
        job_id = submit(pipeline, settings, savepoint=savepoint, parallelism=parallelism, options=options)
        _print_submitted(pipeline_file(pipeline).name, job_id, settings)
        return
    if savepoint is not None:
        options["execution.state-recovery.path"] = savepoint
    if parallelism is not None:
        options["parallelism.default"] = str(parallelism)
    file = pipeline_file(pipeline)
    with suppress(FlinkAwayError):  # no cluster, so no running job that this run could disturb
        require_alone(file.name, settings)
    run(file, settings, options)


@sql_pipelines.command("check")
@click.argument("pipelines", nargs=-1)
def sql_check(pipelines: tuple[str, ...]) -> None:
    """Plan PIPELINES without running them, and report faults.

    Without PIPELINES, all of sql/pipelines are planned. Exit status 1 if a pipeline has a fault.
    """

    def passes(file: PipelineFile, planned: Planned) -> bool:
        found = problems(file, planned)
        click.echo("\n".join(found) if found else f"{file.label}: ok")
        return not found

    _plan_each(pipelines, passes)


@sql_pipelines.command("plan")
@click.argument("pipelines", nargs=-1)
@click.option("--keep", is_flag=True, help="Keep the new plans, with which the next change is compared.")
def sql_plan(pipelines: tuple[str, ...], keep: bool) -> None:
    """Compare the plans of PIPELINES with the kept ones.

    Reports whether savepoints would restore. Without PIPELINES, all of sql/pipelines are compared.
    """

    def passes(file: PipelineFile, planned: Planned) -> bool:
        click.echo(f"{file.label}: {comparison(file, planned.plan)}")
        if keep:
            keep_plan(file, planned.plan)
        return True

    _plan_each(pipelines, passes)


def _plan_each(given: Sequence[str], passes: Callable[[PipelineFile, Planned], bool]) -> None:
    """Plan each file (all of sql/pipelines if none is given); exit with status 1 if one of them has a fault.

    Args:
        passes: reports on a pipeline that can be planned, and returns whether it has no fault.
    """
    results = [_passes(name, passes) for name in given or sql.names("pipelines")]
    if not all(results):
        sys.exit(1)


def _passes(name: str, passes: Callable[[PipelineFile, Planned], bool]) -> bool:
    try:
        [(file, outcome)] = planned_pipelines([pipeline_file(name)], lambda: stream_environment("plan"))
        if isinstance(outcome, Planned):
            return passes(file, outcome)
        click.echo(str(outcome))
    except (SqlFileError, PipelineError) as error:
        click.echo(str(error))
    except FAULTS:  # faults of this machine, not of a file
        raise
    except Exception as error:  # noqa: BLE001 - the files after it are planned all the same
        words = reason(error) if isinstance(error, FLINK_ERRORS) else str(error)
        click.echo(
            f"{name}: {type(error).__name__}: {words}; this is a fault of `ops sql`, not of the file: report it with "
            "the file"
        )
    return False
