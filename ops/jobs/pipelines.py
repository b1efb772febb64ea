"""Runs, checks and compares pipelines of `sql/pipelines`, and users' own `.sql` files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment

from connectors.settings import Settings
from jobs.sql_pipeline import Planned, filling, planned
from ops.jobs.cluster_jobs import JobId
from ops.jobs.flink_rest import FlinkError
from ops.jobs.submit import CHECKOUT, Submission, send, submittable_jobs
from sql import SqlFileError
from sql.tools import lint, plans
from sql.tools.pipeline import PipelineFile, find, load

PLANS = CHECKOUT / "sql" / "plans"
Compiled = Mapping[str, Any]


class PipelineError(FlinkError):
    """A pipeline has a fault, which the message gives."""


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
        SubmitError: Flink can't make a job of it; the message names the file and the place in it.
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
    file = pipeline_file(name)
    return Submission(
        file.name,
        "jobs.sql_pipeline",
        (file.name, file.label),
        {f"sql/pipelines/{file.name}.sql": file.text},
        command=("sql", "run", file.name if file.is_ours else str(Path(name).resolve()), "--target", "cluster"),
    )


def pipeline_file(name: str) -> PipelineFile:
    """Find a pipeline's file.

    Args:
        name: of a file of `sql/pipelines` without extension, or the path of any `.sql` file.

    Raises:
        SqlFileError: the file does not exist.
        PipelineError: a job has its name.
    """
    file = find(name)
    if file.name in submittable_jobs():
        raise PipelineError(f"{name} has the name of jobs/{file.name}.py: give the file another name")
    return file


def planned_pipelines(
    files: Sequence[PipelineFile], environment: Callable[[], StreamExecutionEnvironment]
) -> Iterator[tuple[PipelineFile, Planned | SqlFileError]]:
    """Yield each file with its plan, or with the error that prevents one.

    Settings have their defaults, so that the plan is the same on every machine.

    Args:
        environment: makes a new one for each file, since a pipeline's settings stay in it.
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
    kept = _kept_plan(file)
    if kept is None:
        return [*found, f"{file.label}: its plan isn't kept; `python -m ops sql plan {file.name} --keep` keeps it"]
    if kept != plans.text(planned.plan):
        found.append(
            f"{file.label}: its plan isn't the one in sql/plans; `make sql-plan` compares savepoints, "
            f"`python -m ops sql plan {file.name} --keep` keeps the new one"
        )
    return found


def _kept_plan(file: PipelineFile) -> str | None:
    """Return the kept plan; None if there is none."""
    path = PLANS / f"{file.name}.txt"
    return path.read_text("utf-8") if path.is_file() else None


def comparison(file: PipelineFile, compiled: Compiled) -> str:
    """Return in words whether savepoints of the kept plan would restore in the new one."""
    kept = _kept_plan(file)
    if kept is None:
        return "new; it has no kept plan"
    changes = plans.compare(kept, plans.text(compiled))
    return "\n".join([plans.verdict(changes), *(f"  {change.verdict}: {change.words}" for change in changes)])


def keep_plan(file: PipelineFile, compiled: Compiled) -> None:
    """Keep the new plan, as what the next change is compared with.

    Raises:
        PipelineError: the file isn't one of `sql/pipelines`.
    """
    if not file.is_ours:
        raise PipelineError(f"{file.label}: only plans of sql/pipelines are kept")
    PLANS.mkdir(exist_ok=True)
    (PLANS / f"{file.name}.txt").write_text(plans.text(compiled), encoding="utf-8")
