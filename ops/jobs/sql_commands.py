"""Commands `sql`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import click

import sql
from connectors.settings import Settings
from jobs.environment import stream_environment
from jobs.flink_errors import FLINK_ERRORS, reason
from jobs.sql_pipeline import Planned, run
from ops.cli import CommandGroup, message
from ops.jobs.flink_rest import FlinkUnavailableError
from ops.jobs.pipelines import PipelineError, comparison, keep_plan, pipeline_file, planned_pipelines, problems, submit
from ops.jobs.submit import require_alone
from ops.jobs.submit_command import parsed, print_submitted, submission_options
from sql import SqlFileError
from sql.tools.pipeline import PipelineFile


@click.group("sql", cls=CommandGroup)
def sql_pipelines() -> None:
    """Run, check and compare SQL pipelines."""


@sql_pipelines.command("run")
@click.argument("pipeline")
@click.option(
    "--target", type=click.Choice(["local", "cluster"]), default="local", help="Run it here, or on the cluster."
)
@submission_options
def sql_run(
    pipeline: str, target: str, savepoint: str | None, parallelism: int | None, definitions: tuple[str, ...]
) -> None:
    """Run PIPELINE here or on the cluster.

    PIPELINE is a name of sql/pipelines, or the path of any .sql file.
    """
    settings = Settings.from_environment()
    options = parsed(definitions)
    if target == "cluster":
        job_id = submit(pipeline, settings, savepoint=savepoint, parallelism=parallelism, options=options)
        print_submitted(pipeline_file(pipeline).name, job_id, settings)
        return
    if savepoint is not None:
        options["execution.state-recovery.path"] = savepoint
    if parallelism is not None:
        options["parallelism.default"] = str(parallelism)
    file = pipeline_file(pipeline)
    with suppress(FlinkUnavailableError):  # no cluster, so no running job that this run could disturb
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
    except Exception as error:  # the files after it are planned all the same
        if message(error) is not None:  # a fault of this machine, not of a file
            raise
        words = reason(error) if isinstance(error, FLINK_ERRORS) else str(error)
        click.echo(
            f"{name}: {type(error).__name__}: {words}; this is a fault of `ops sql`, not of the file: report it with "
            "the file"
        )
    return False
