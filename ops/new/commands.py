"""Commands `new`."""

from collections.abc import Callable
from pathlib import Path

import click

from connectors.kafka.topics import Topic
from ops.cli import CommandGroup
from ops.jobs.submit import CHECKOUT
from ops.new.changes import TODO, Changes
from ops.new.names import PYTHON, DeclaredTopic, Field, Name, NewField, NewTopic, field_name
from ops.new.planning import event_changes, job_changes, pipeline_changes, rule_changes

DEFAULT_RULES = "udfs/fraud/rulesets/default.toml"


def _write(changes: Changes, dry_run: bool, *following: str) -> None:
    for line in changes.shown():
        click.echo(line)
    if dry_run:
        click.echo("\nnothing was written")
        return
    changes.write()
    click.echo(f"\nEach {TODO} is a decision to make: replace it. Then:")
    for command in following:
        click.echo(f"  {command}")


DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be written.")


def _reading_and_writing(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        DRY_RUN,
        click.option("--writes", type=DeclaredTopic(), required=True, help="Topic that it emits to."),
        click.option("--reads", type=DeclaredTopic(), required=True, help="Topic that it reads."),
    ):
        command = option(command)
    return command


@click.group("new", cls=CommandGroup)
def new() -> None:
    """Draft an event, a pipeline, a job or a rule.

    Existing files are never overwritten.
    """


@new.command("event")
@click.argument("name", type=Name())
@click.option("--topic", type=NewTopic(), required=True, help="New topic of the event, e.g. refunds.")
@click.option("--key", callback=field_name, required=True, help="Field that is the key of the records, e.g. order_id.")
@click.option(
    "--field", "fields", type=NewField(), multiple=True, help="Another field, e.g. amount_minor=MinorUnits; repeatable."
)
@DRY_RUN
def new_event(name: str, topic: str, key: str, fields: tuple[Field, ...], dry_run: bool) -> None:
    """Draft the event NAME.

    Writes its struct, topic, source table, default row and test builder.
    """
    _write(
        event_changes(CHECKOUT, name, topic, key, fields),
        dry_run,
        f"{PYTHON} ops schemas release",
        f"{PYTHON} pytest -q tests/unit/topics/test_contract.py",
        "make check",
    )


@new.command("pipeline")
@click.argument("name", type=Name())
@_reading_and_writing
def new_pipeline(name: str, reads: Topic, writes: Topic, dry_run: bool) -> None:
    """Draft the SQL pipeline NAME.

    Writes its file, its sink table, a test case, and its entry in the data flow.
    """
    _write(
        pipeline_changes(CHECKOUT, name, reads, writes),
        dry_run,
        f"{PYTHON} ops sql plan {name} --keep",
        f"make sql-check PIPELINE={name}",
        f"{PYTHON} pytest -q tests/cluster/sql/test_sql_pipelines.py -k {name}",
    )


@new.command("job")
@click.argument("name", type=Name())
@_reading_and_writing
def new_job(name: str, reads: Topic, writes: Topic, dry_run: bool) -> None:
    """Draft the job NAME.

    Writes its topology, a test on the mini-cluster, and its entry in the data flow.
    """
    _write(
        job_changes(CHECKOUT, name, reads, writes),
        dry_run,
        f"{PYTHON} pytest -q tests/cluster/jobs/test_{name}.py",
        "make check",
        f"make submit JOB={name}",
    )


@new.command("rule")
@click.argument("name", type=Name())
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False),
    default=str(CHECKOUT / DEFAULT_RULES),
    show_default=DEFAULT_RULES,
    help="Ruleset file to add it to.",
)
@DRY_RUN
def new_rule(name: str, file: str, dry_run: bool) -> None:
    """Draft the fraud rule NAME, in shadow.

    Adds it to the end of a ruleset file.
    """
    path = Path(file).resolve()
    shown = str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
    _write(
        rule_changes(CHECKOUT, name, shown),
        dry_run,
        f"{PYTHON} ops rulesets facts",
        f"{PYTHON} ops rulesets publish {shown} --dry-run",
        f"{PYTHON} ops rulesets publish {shown}",
    )
