"""Applies the declared topics: a plan first, then its steps; deletes data only if explicitly allowed."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError

from connectors.kafka.client import kafka_client
from connectors.kafka.topics import DAY_MS, FOREVER_MS, MINUTE_MS, TOPICS, UNLIMITED_BYTES, UNLIMITED_MS, Topic
from connectors.settings import Settings

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
    under_replicated: tuple[int, ...] = ()
    """Partitions that have a replica which isn't in sync."""
    leaderless: tuple[int, ...] = ()
    """Partitions without a leader, which no client can read or write."""


@dataclass(frozen=True)
class Step:
    """One step that makes a topic match its declaration."""

    topic: Topic
    what: Literal["create", "alter", "add partitions", "nothing", "can't"]
    detail: str
    consequence: Literal["", "data loss", "key moves"] = ""
    """Side effect of the step, which must then be allowed for this topic by name."""


class TopicsBlockedError(RuntimeError):
    """The plan has a step that is impossible or isn't allowed. The message gives the remedy."""


def plan(declared: Iterable[Topic], real: Mapping[str, RealTopic]) -> list[Step]:
    """Return the steps that make the real topics match the declared ones, in the order of declaration."""
    return [step for topic in declared for step in _steps(topic, real.get(topic.name))]


def describe(settings: Settings) -> dict[str, RealTopic]:
    """Return all topics of the brokers by name, without internal ones."""
    with _admin(settings) as admin:
        return real_topics(admin)


def apply(
    settings: Settings,
    topics: Iterable[Topic] = TOPICS,
    allow_data_loss: Collection[str] = (),
    allow_key_moves: Collection[str] = (),
) -> list[Step]:
    """Create and alter the topics to match their declarations, wait until it shows; return the steps that were taken.

    `allow_…` name topics. Topics that aren't declared stay as they are.

    Raises:
        TopicsBlockedError: a step is impossible or not allowed, and nothing was changed; or the topics are as declared,
            but what isn't declared, such as a default of the brokers, makes them useless.
    """
    topics = tuple(topics)
    with _admin(settings) as admin:
        steps = plan(topics, real_topics(admin))
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
            blocked.append(f"{name}: {step.detail} deletes data; if that is intended, add `--allow-data-loss {name}`")
        elif step.consequence == "key moves" and name not in allow_key_moves:
            blocked.append(
                f"{name}: {step.detail} moves keys to other partitions: the order by key is lost across the change, "
                f"and keyed consumers must be drained first; if that is intended, add `--allow-key-moves {name}`"
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
        yield Step(topic, "can't", f"{change}: Kafka can't remove partitions; declare {real.partitions}")


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


def real_topics(admin: Any) -> dict[str, RealTopic]:
    """Return all topics that an admin client finds, by name, without internal ones."""
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
            under_replicated=_numbers(each, lambda one: len(one["isr_nodes"]) < len(one["replica_nodes"])),
            leaderless=_numbers(each, lambda one: one["leader_id"] < 0),
        )
        for name, each in found.items()
    }


def _numbers(topic: Mapping[str, Any], condition: Callable[[Mapping[str, Any]], bool]) -> tuple[int, ...]:
    return tuple(sorted(each["partition_index"] for each in topic["partitions"] if condition(each)))


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
    while left := [step for step in plan(topics, real_topics(admin)) if step.what != "nothing"]:
        if all(step.what == "can't" for step in left):
            raise TopicsBlockedError("\n".join(["the topics were changed, but can't be used", *blocked_steps(left)]))
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"the changes were accepted, but don't show after {DEADLINE_SECONDS} s")
        time.sleep(0.1)
