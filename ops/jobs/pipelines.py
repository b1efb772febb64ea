"""Runs, checks and compares pipelines of `sql/pipelines`, and users' own `.sql` files."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from pyflink.datastream import StreamExecutionEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import stream_environment
from jobs.flink_errors import FLINK_ERRORS, reason
from jobs.sql_pipeline import Planned, filling, planned, run
from ops.command_group import FAULTS, CommandGroup
from ops.jobs.cluster_jobs import JobId
from ops.jobs.flink_rest import FlinkAwayError, FlinkError
from ops.jobs.submit import CHECKOUT, Submission, names, parsed, require_alone, say_submitted, send, submission_options
from sql import SqlFileError
from sql.tools import lint, plans
from sql.tools.pipeline import PipelineFile, find, load

PLANS = CHECKOUT / "sql" / "plans"
Compiled = Mapping[str, Any]


class PipelineError(FlinkError):
    """A pipeline isn't as it should be; the text says what is wrong."""


def submit(
    name: str,
    settings: Settings,
    *,
    savepoint: str | None = None,
    parallelism: int | None = None,
    options: Mapping[str, str] | None = None,
) -> JobId:
    """Submit a pipeline, with its text, to the cluster at `MILLRACE_FLINK_REST_URL`.

    Args:
        name: of a file of `sql/pipelines` without extension, or the path of any `.sql` file.

    Raises:
        SubmitError: Flink can't make a job of it; the text says where in which file.
        SqlFileError: the file does not exist.
        FlinkError: the cluster can't be reached.
    """
    [job_id] = send([of_pipeline(name)], settings, savepoint=savepoint, parallelism=parallelism, options=options)
    return job_id


def of_pipeline(name: str) -> Submission:
    """Return the submission of a pipeline with its text.

    Raises:
        SqlFileError: the file does not exist.
    """
    file = _found(name)
    return Submission(
        file.name,
        "jobs.sql_pipeline",
        (file.name, file.label),
        {f"sql/pipelines/{file.name}.sql": file.text},
        command=("sql", "run", file.name if file.is_ours else str(Path(name).resolve()), "--target", "cluster"),
    )


def _found(name: str) -> PipelineFile:
    file = find(name)
    if file.name in names():
        raise PipelineError(f"{name} is called like jobs/{file.name}.py: give the file another name")
    return file


def planned_pipelines(
    files: Sequence[PipelineFile], environment: Callable[[], StreamExecutionEnvironment]
) -> Iterator[tuple[PipelineFile, Planned | SqlFileError]]:
    """Yield each file with its pipeline and plan, or with what is wrong with it.

    Settings have their defaults, so that the plan is the same on every machine.

    Args:
        environment: makes a new one; what a pipeline sets stays in the one that it is planned in.
    """
    for file in files:
        try:
            yield file, planned(environment(), load(file, filling(file.name, Settings())))
        except SqlFileError as error:
            yield file, error


def problems(file: PipelineFile, planned: Planned) -> list[str]:
    """Return what `check` reports of a pipeline that can be planned."""
    found = lint.findings(planned.pipeline, plans.read(planned.plan), planned.catalog)
    if not file.is_ours:
        return found
    kept = _kept(file)
    if kept is None:
        return [*found, f"{file.label}: its plan isn't kept; `python -m ops sql plan {file.name} --keep` does it"]
    if kept != plans.text(planned.plan):
        found.append(
            f"{file.label}: its plan isn't the one in sql/plans; `make sql-plan` says what that means for savepoints, "
            f"`python -m ops sql plan {file.name} --keep` keeps the new one"
        )
    return found


def _kept(file: PipelineFile) -> str | None:
    path = PLANS / f"{file.name}.txt"
    return path.read_text("utf-8") if path.is_file() else None


def _judge(given: Sequence[str], is_well: Callable[[PipelineFile, Planned], bool]) -> None:
    """Plan each file (all of sql/pipelines if none is given); exit with status 1 if anything is wrong with one of them.

    Args:
        is_well: prints what is to be reported of a pipeline that can be planned.
    """
    results = [_is_well(name, is_well) for name in given or sql.names("pipelines")]
    if not all(results):
        sys.exit(1)


def _is_well(name: str, is_well: Callable[[PipelineFile, Planned], bool]) -> bool:
    try:
        [(file, outcome)] = planned_pipelines([_found(name)], lambda: stream_environment("plan"))
        if isinstance(outcome, Planned):
            return is_well(file, outcome)
        click.echo(str(outcome))
    except (SqlFileError, PipelineError) as error:
        click.echo(str(error))
    except FAULTS:  # faults of this machine, not of a file
        raise
    except Exception as error:  # noqa: BLE001 - the files after it are judged all the same
        words = reason(error) if isinstance(error, FLINK_ERRORS) else str(error)
        click.echo(
            f"{name}: {type(error).__name__}: {words}; this is a fault of `ops sql`, not of the file: report it with "
            "the file"
        )
    return False


@click.group("sql", cls=CommandGroup)
def group() -> None:
    """Run, check and compare pipelines that are defined in SQL."""


@group.command("run")
@click.argument("pipeline")
@click.option("--target", type=click.Choice(["local", "cluster"]), default="local", help="Here, or on the cluster.")
@submission_options
def run_command(
    pipeline: str, target: str, savepoint: str | None, parallelism: int | None, definitions: tuple[str, ...]
) -> None:
    """Run PIPELINE: a name of sql/pipelines, or the path of any .sql file."""
    settings = Settings.from_environment()
    options = parsed(definitions)
    if target == "cluster":
        job_id = submit(pipeline, settings, savepoint=savepoint, parallelism=parallelism, options=options)
        say_submitted(_found(pipeline).name, job_id, settings)
        return
    if savepoint is not None:
        options["execution.state-recovery.path"] = savepoint
    if parallelism is not None:
        options["parallelism.default"] = str(parallelism)
    file = _found(pipeline)
    with suppress(FlinkAwayError):  # no cluster, so no running job that this run could disturb
        require_alone(file.name, settings)
    run(file, settings, options)


@group.command("check")
@click.argument("pipelines", nargs=-1)
def check_command(pipelines: tuple[str, ...]) -> None:
    """Plan PIPELINES (all of sql/pipelines if none is given) without running them, and say what isn't well."""

    def is_well(file: PipelineFile, planned: Planned) -> bool:
        found = problems(file, planned)
        click.echo("\n".join(found) if found else f"{file.label}: ok")
        return not found

    _judge(pipelines, is_well)


@group.command("plan")
@click.argument("pipelines", nargs=-1)
@click.option("--keep", is_flag=True, help="Keep the new plans, as what the next change is compared with.")
def plan_command(pipelines: tuple[str, ...], keep: bool) -> None:
    """Say whether savepoints of the kept plans of PIPELINES (all if none is given) would restore in the new ones."""

    def is_well(file: PipelineFile, planned: Planned) -> bool:
        click.echo(f"{file.label}: {_said(_kept(file), planned.plan)}")
        if keep:
            _keep(file, planned.plan)
        return True

    _judge(pipelines, is_well)


def _said(kept: str | None, compiled: Compiled) -> str:
    if kept is None:
        return "new; no plan of it is kept"
    changes = plans.compare(kept, plans.text(compiled))
    return "\n".join([plans.verdict(changes), *(f"  {change.verdict}: {change.words}" for change in changes)])


def _keep(file: PipelineFile, compiled: Compiled) -> None:
    if not file.is_ours:
        raise PipelineError(f"{file.label}: only plans of sql/pipelines are kept")
    PLANS.mkdir(exist_ok=True)
    (PLANS / f"{file.name}.txt").write_text(plans.text(compiled), encoding="utf-8")
