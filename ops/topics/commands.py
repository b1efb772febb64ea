"""Commands `topics`."""

from collections.abc import Mapping
from typing import Any

import click

from connectors.kafka.topics import TOPICS, Topic
from connectors.settings import Settings
from ops.cli import CommandGroup, ask_before_changing
from ops.formats import table
from ops.masking import shown_key
from ops.topics.apply import RealTopic, apply, blocked_steps, describe, duration, plan
from ops.topics.keys import sample_keys
from ops.topics.partitions import PARTITION_BYTES_PER_SECOND, Load, recommend


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
