"""Commands `topics` and `schemas`."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from connectors.kafka.topics import TOPICS, Topic
from connectors.settings import Settings
from events.schemas import schema, schema_text
from ops.cli import CommandGroup, ask_before_changing
from ops.formats import table
from ops.masking import shown_key
from ops.topics.apply import RealTopic, apply, blocked_steps, describe, duration, plan
from ops.topics.keys import sample_keys
from ops.topics.partitions import PARTITION_BYTES_PER_SECOND, Load, recommend
from ops.topics.schemas import (
    Registration,
    SchemasRefusedError,
    check,
    check_registry,
    reasons_text,
    register,
    release,
)

_STATES = {
    "new": "new: release it with `python -m ops schemas release`",
    "unchanged": "unchanged",
    "compatible": "changed, compatible: release it with `python -m ops schemas release`",
    "incompatible": "changed, INCOMPATIBLE",
}
_REGISTRY_STATES = _STATES | {
    "new": "not registered yet",
    "compatible": "changed, compatible: register it with `python -m ops schemas register`",
    "unguarded": "unchanged, but not guarded by our rule",
}


@click.group(cls=CommandGroup)
def topics() -> None:
    """Apply, list, size and measure topics."""


@topics.command("apply")
@click.option("--yes", is_flag=True, help="Carry out the plan without asking.")
@click.option("--allow-data-loss", multiple=True, metavar="TOPIC", help="This topic may lose data; repeatable.")
@click.option("--allow-key-moves", multiple=True, metavar="TOPIC", help="This topic's keys may move; repeatable.")
def topics_apply(yes: bool, allow_data_loss: tuple[str, ...], allow_key_moves: tuple[str, ...]) -> None:
    """Create and alter the topics as declared.

    Shows a plan and asks before it changes anything.
    """
    settings = Settings.from_environment()
    real = describe(settings)
    steps = plan(TOPICS, real)
    click.echo(table(("topic", "step", "what"), [(step.topic.name, step.what, step.detail) for step in steps]))
    if others := sorted(real.keys() - {topic.name for topic in TOPICS}):
        click.echo(f"not declared, left alone: {', '.join(others)}")
    if blocked := blocked_steps(steps, allow_data_loss, allow_key_moves):
        raise click.ClickException("nothing was changed\n" + "\n".join(blocked))
    if all(step.what == "nothing" for step in steps):
        return
    ask_before_changing(yes)
    done = apply(settings, TOPICS, allow_data_loss, allow_key_moves)
    click.echo(f"done: {len(done)} {'step' if len(done) == 1 else 'steps'}")


@topics.command("list")
def topics_list() -> None:
    """List the declared topics beside the real ones."""
    real = describe(Settings.from_environment())
    rows = [
        (
            topic.name,
            topic.key,
            topic.partitions,
            topic.cleanup,
            duration(topic.retention_ms),
            topic.event.__name__,
            topic.owner,
            _state(topic, real),
        )
        for topic in TOPICS
    ]
    click.echo(table(("topic", "key", "partitions", "cleanup", "kept", "event", "owner", "real"), rows))


@topics.command("plan")
@click.argument("topic", required=False, type=click.Choice([topic.name for topic in TOPICS]))
@click.option("--events-per-second", type=float, required=True, help="Events per second at today's busiest time.")
@click.option("--bytes", "average_bytes", type=float, required=True, help="Average size of a record in bytes.")
@click.option(
    "--consumer-rate",
    "consumer_events_per_second",
    type=float,
    required=True,
    help="Events per second that one consumer processes.",
)
@click.option(
    "--partition-bytes",
    "partition_bytes_per_second",
    type=float,
    default=PARTITION_BYTES_PER_SECOND,
    show_default=True,
    help="Bytes per second that one partition carries.",
)
@click.option("--growth", type=float, default=1.0, show_default=True, help="Factor of growth per year.")
@click.option("--months", type=int, default=12, show_default=True, help="Months for which the count must suffice.")
@click.option("--hot-key-share", type=float, help="Share of the most frequent key, 0 to 1 (see `topics keys`).")
@click.option("--keys", type=int, help="Number of different keys.")
def topics_plan(topic: str | None, **load: Any) -> None:
    """Recommend a partition count, with the calculation.

    With TOPIC, compares the topic's declared count with it.
    """
    current = next((each.partitions for each in TOPICS if each.name == topic), None)
    try:
        recommendation = recommend(Load(**load), current)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for reason in recommendation.reasons:
        click.echo(reason)
    for warning in recommendation.warnings:
        click.echo(f"warning: {warning}")


@topics.command("keys")
@click.argument("topic")
@click.option(
    "--latest", type=click.IntRange(min=1), default=10_000, show_default=True, help="Number of records to read."
)
def topics_keys(topic: str, latest: int) -> None:
    """Measure the share of the most frequent key.

    Also shows the share of each partition.
    """
    sample = sample_keys(Settings.from_environment(), topic, latest)
    click.echo(
        f"{sample.records:,} records, {sample.keys:,} keys; "
        f"hottest: {shown_key(topic, sample.hottest_key)} with {sample.hottest_share:.1%} of the records"
    )
    rows = [(number, f"{share:.1%}") for number, share in sample.partition_shares.items()]
    click.echo(table(("partition", "share"), rows))


def _state(topic: Topic, real: Mapping[str, RealTopic]) -> str:
    if topic.name not in real:
        return "missing"
    differences = [step.detail for step in plan([topic], real) if step.what != "nothing"]
    return f"differs: {'; '.join(differences)}" if differences else "as declared"


@click.group(cls=CommandGroup)
def schemas() -> None:
    """Check, release, register and show the events' schemas."""


@schemas.command("register")
def schemas_register() -> None:
    """Register every topic's schema in the registry.

    Sets the rule BACKWARD_TRANSITIVE. Exit status 1 if the registry refuses one.
    """
    try:
        registrations = register(Settings.from_environment(), TOPICS)
    except SchemasRefusedError as refusal:
        _print_registrations(refusal.registrations)
        raise click.ClickException(f"refused, since readers would break\n{refusal}") from refusal
    _print_registrations(registrations)


@schemas.command("check")
@click.option("--registry", is_flag=True, help="Compare with the registry's schemas, too.")
def schemas_check(registry: bool) -> None:
    """Compare each topic's schema with all released ones.

    Exit status 1 if records that were valid could no longer be read.
    """
    verdicts = check(TOPICS)
    click.echo(table(("subject", "since the last release"), [(each.subject, _STATES[each.state]) for each in verdicts]))
    if registry:
        asked = check_registry(Settings.from_environment(), TOPICS)
        rows = [(each.subject, _REGISTRY_STATES[each.state]) for each in asked]
        click.echo("\n" + table(("subject", "against the registry"), rows))
        verdicts = verdicts + asked
    if reasons := reasons_text(verdicts):
        raise click.ClickException(f"readers would break\n{reasons}")


@schemas.command("release")
def schemas_release() -> None:
    """Release the changed schemas to events/released."""
    try:
        written = release(TOPICS)
    except SchemasRefusedError as refusal:
        raise click.ClickException(f"nothing was released, since readers would break\n{refusal}") from refusal
    for file in written:
        click.echo(f"released {file.parent.name} version {file.stem}")
    if not written:
        click.echo("nothing to release: no schema changed")


@schemas.command("show")
@click.argument("subject", type=click.Choice([topic.subject for topic in TOPICS]))
def schemas_show(subject: str) -> None:
    """Print the current schema of SUBJECT."""
    [event] = [topic.event for topic in TOPICS if topic.subject == subject]
    click.echo(schema_text(schema(event)), nl=False)


def _print_registrations(registrations: Sequence[Registration]) -> None:
    rows = [(each.subject, "–" if each.version is None else each.version, each.outcome) for each in registrations]
    click.echo(table(("subject", "version", "outcome"), rows))
