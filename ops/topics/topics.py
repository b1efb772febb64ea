"""Applies the declared topics: a plan first, then its steps; deletes data only if explicitly allowed."""

import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import click
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError

from connectors.kafka.client import kafka_client
from connectors.kafka.topics import DAY_MS, FOREVER_MS, MINUTE_MS, TOPICS, UNLIMITED_BYTES, UNLIMITED_MS, Topic
from connectors.settings import Settings
from ops.command_group import CommandGroup
from ops.tables import table
from ops.topics.keys import sample_keys, shown_key
from ops.topics.partitions import PARTITION_BYTES_PER_SECOND, Load, recommend

DEADLINE_SECONDS = 30
LIMITS = {"retention.ms", "retention.bytes", "delete.retention.ms"}
"""Settings that lose data when their value decreases."""


@dataclass(frozen=True)
class RealTopic:
    """A topic as it is on the brokers."""

    partitions: int
    config: Mapping[str, str]
    """Every effective setting, the brokers' defaults included."""
    replicas: int = 1
    """Number of replicas of the partition that has the fewest."""


@dataclass(frozen=True)
class Step:
    """One step that makes a topic match its declaration."""

    topic: Topic
    what: Literal["create", "alter", "add partitions", "nothing", "can't"]
    detail: str
    consequence: Literal["", "data loss", "key moves"] = ""
    """Side effect of the step, which must then be allowed for this topic by name."""


class TopicsBlockedError(RuntimeError):
    """The plan has a step that is impossible or isn't allowed. The text says what to do."""


def plan(declared: Iterable[Topic], real: Mapping[str, RealTopic]) -> list[Step]:
    """Return the steps that make the real topics match the declared ones, in the order of declaration."""
    return [step for topic in declared for step in _steps(topic, real.get(topic.name))]


def describe(settings: Settings) -> dict[str, RealTopic]:
    """Return all topics of the brokers by name, without internal ones."""
    with _admin(settings) as admin:
        return _describe(admin)


def apply(
    settings: Settings,
    topics: Iterable[Topic] = TOPICS,
    allow_data_loss: Collection[str] = (),
    allow_key_moves: Collection[str] = (),
) -> list[Step]:
    """Create and alter the topics to match their declarations, wait until it shows; return the steps that were taken.

    `allow_…` name topics. Topics that aren't declared are left alone.

    Raises:
        TopicsBlockedError: a step is impossible or not allowed, and nothing was changed; or the topics are as declared,
            but what isn't declared, such as a default of the brokers, makes them useless.
    """
    topics = tuple(topics)
    with _admin(settings) as admin:
        steps = plan(topics, _describe(admin))
        if blocked := blocked_steps(steps, allow_data_loss, allow_key_moves):
            raise TopicsBlockedError("\n".join(blocked))
        _carry_out(admin, steps)
        _wait_until_done(admin, topics)
    return [step for step in steps if step.what != "nothing"]


def blocked_steps(
    steps: Iterable[Step], allow_data_loss: Collection[str] = (), allow_key_moves: Collection[str] = ()
) -> list[str]:
    """Return why the steps can't be carried out as they are, and what to do about it; empty if they can."""
    blocked = []
    for step in steps:
        name = step.topic.name
        if step.what == "can't":
            blocked.append(f"{name}: {step.detail}")
        elif step.consequence == "data loss" and name not in allow_data_loss:
            blocked.append(f"{name}: {step.detail} deletes data; if that is meant, add `--allow-data-loss {name}`")
        elif step.consequence == "key moves" and name not in allow_key_moves:
            blocked.append(
                f"{name}: {step.detail} moves keys to other partitions: the order by key is lost across the change, "
                f"and keyed consumers must be drained first; if that is meant, add `--allow-key-moves {name}`"
            )
    return blocked


def _steps(topic: Topic, real: RealTopic | None) -> list[Step]:
    if real is None:
        kept = duration(topic.retention_ms)
        return [Step(topic, "create", f"partitions {topic.partitions}, cleanup {topic.cleanup}, kept {kept}")]
    steps = [*_partition_steps(topic, real), *_config_steps(topic, real), *_refusal_steps(topic, real)]
    return steps or [Step(topic, "nothing", "")]


def _partition_steps(topic: Topic, real: RealTopic) -> Iterator[Step]:
    change = f"partitions {real.partitions} → {topic.partitions}"
    if topic.partitions > real.partitions:
        yield Step(topic, "add partitions", change, "key moves")
    elif topic.partitions < real.partitions:
        yield Step(topic, "can't", f"{change}: Kafka can't take partitions away; declare {real.partitions}")


def _config_steps(topic: Topic, real: RealTopic) -> Iterator[Step]:
    for name, value in topic.config().items():
        was = real.config.get(name, "unset")
        if was != value:
            change = f"{name} {_in_words(name, was)} → {_in_words(name, value)}"
            yield Step(topic, "alter", change, "data loss" if _loses_data(name, was, value) else "")


def _refusal_steps(topic: Topic, real: RealTopic) -> Iterator[Step]:
    """Yield undeclared settings that can make brokers refuse every record, or every large one."""
    in_sync = int(real.config.get("min.insync.replicas", 1))
    if in_sync > real.replicas:
        yield Step(
            topic,
            "can't",
            f"min.insync.replicas is {in_sync}, but a partition has {real.replicas} replicas, so brokers refuse every "
            "record: add replicas, or lower it",
        )
    segment, message = (int(real.config.get(name, 0)) for name in ("segment.bytes", "max.message.bytes"))
    if 0 < segment < message:
        yield Step(
            topic,
            "can't",
            f"segment.bytes is {segment}, less than max.message.bytes, {message}, so brokers refuse records that are "
            "allowed: raise it",
        )


def _loses_data(name: str, was: str, value: str) -> bool:
    if name in LIMITS and was.lstrip("-").isdigit():
        return _amount(value) < _amount(was)
    return name == "cleanup.policy"


def _amount(limit: str) -> float:
    return float("inf") if int(limit) in {FOREVER_MS, UNLIMITED_BYTES} else int(limit)


def _in_words(name: str, value: str) -> str:
    if not value.lstrip("-").isdigit():
        return value
    if name.endswith(".ms"):
        return duration(int(value))
    return "unlimited" if name == "retention.bytes" and int(value) == UNLIMITED_BYTES else value


def duration(milliseconds: int) -> str:
    """Format a retention or a limit in words."""
    if milliseconds in {FOREVER_MS, UNLIMITED_MS}:
        return "for ever" if milliseconds == FOREVER_MS else "unlimited"
    for unit, name in ((DAY_MS, "day"), (60 * MINUTE_MS, "hour"), (MINUTE_MS, "minute"), (1000, "second")):
        if milliseconds and milliseconds % unit == 0:
            count = milliseconds // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{milliseconds} ms"


@contextmanager
def _admin(settings: Settings) -> Iterator[Any]:
    admin = kafka_client(settings, KafkaAdminClient)
    try:
        yield admin
    finally:
        admin.close()


def _describe(admin: Any) -> dict[str, RealTopic]:
    found = {each["name"]: each for each in admin.describe_topics() if not each["is_internal"]}
    if not found:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: RealTopic(
            partitions=len(each["partitions"]),
            config={key: setting["value"] for key, setting in configs[name].items()},
            replicas=min(len(partition["replica_nodes"]) for partition in each["partitions"]),
        )
        for name, each in found.items()
    }


def _carry_out(admin: Any, steps: Sequence[Step]) -> None:
    by_kind = {what: [step.topic for step in steps if step.what == what] for what in ("create", "add partitions")}
    if created := by_kind["create"]:
        options = {topic.name: {"num_partitions": topic.partitions, "configs": topic.config()} for topic in created}
        admin.create_topics(options, wait_for_metadata=True)
    if widened := by_kind["add partitions"]:
        admin.create_partitions({topic.name: topic.partitions for topic in widened})
    altered = {step.topic.name: step.topic for step in steps if step.what == "alter"}
    for name, topic in altered.items():
        resource = ConfigResource(ConfigResourceType.TOPIC, name, topic.config())
        outcome = admin.alter_configs([resource])["topic"][name]
        if outcome != "OK":
            raise KafkaError(f"{name} was not altered: {outcome}")


def _wait_until_done(admin: Any, topics: Sequence[Topic]) -> None:
    """Wait until the brokers show the changes, a moment after the controller has confirmed them."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while left := [step for step in plan(topics, _describe(admin)) if step.what != "nothing"]:
        if all(step.what == "can't" for step in left):
            raise TopicsBlockedError("\n".join(["the topics were changed, but can't be used", *blocked_steps(left)]))
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"the changes were accepted, but don't show after {DEADLINE_SECONDS} s")
        time.sleep(0.1)


@click.group(cls=CommandGroup)
def topics() -> None:
    """Kafka topics: apply and list the declared ones, size one, look at its keys."""


@topics.command("apply")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--allow-data-loss", multiple=True, metavar="TOPIC", help="This topic may lose data; repeatable.")
@click.option("--allow-key-moves", multiple=True, metavar="TOPIC", help="This topic's keys may move; repeatable.")
def apply_command(yes: bool, allow_data_loss: tuple[str, ...], allow_key_moves: tuple[str, ...]) -> None:
    """Create and alter the topics as declared.

    Shows a plan and asks before anything is changed.
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
    if not yes:
        if not sys.stdin.isatty():
            raise click.ClickException("nothing was changed: run it again with --yes to carry out the plan")
        click.confirm("Carry out the plan?", abort=True)
    try:
        done = apply(settings, TOPICS, allow_data_loss, allow_key_moves)
    except TopicsBlockedError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done: {len(done)} {'step' if len(done) == 1 else 'steps'}")


@topics.command("list")
def list_command() -> None:
    """Show the declared topics beside the real ones."""
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
@click.option("--events-per-second", type=float, required=True, help="At the busiest time of today.")
@click.option("--bytes", "average_bytes", type=float, required=True, help="Of an average record.")
@click.option(
    "--consumer-rate", "consumer_events_per_second", type=float, required=True, help="Events/s that one takes."
)
@click.option(
    "--partition-bytes",
    "partition_bytes_per_second",
    type=float,
    default=PARTITION_BYTES_PER_SECOND,
    show_default=True,
    help="Bytes/s that one partition carries.",
)
@click.option("--growth", type=float, default=1.0, show_default=True, help="Times as much after a year.")
@click.option("--months", type=int, default=12, show_default=True, help="How long the count must suffice.")
@click.option("--hot-key-share", type=float, help="Share of the most frequent key, 0 to 1 (see `topics keys`).")
@click.option("--keys", type=int, help="Number of different keys.")
def plan_command(topic: str | None, **load: Any) -> None:
    """Recommend a partition count, and say why.

    With TOPIC, its declaration is compared with it.
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
@click.option("--latest", type=click.IntRange(min=1), default=10_000, show_default=True, help="Records to look at.")
def keys_command(topic: str, latest: int) -> None:
    """Measure how hot the hottest key is."""
    try:
        sample = sample_keys(Settings.from_environment(), topic, latest)
    except LookupError as error:
        raise click.ClickException(str(error)) from error
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
