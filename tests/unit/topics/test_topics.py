"""Steps that make real topics match the declared ones, and steps that need permission."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.kafka.topics import DAY_MS, FOREVER_MS, PAYMENTS, TOPICS, Topic
from ops.topics.apply import RealTopic, Step, blocked_steps, duration, plan

DECLARED = replace(PAYMENTS, name="t", partitions=4, cleanup="delete", retention_ms=30 * DAY_MS)


def real(topic: Topic = DECLARED, **changed: Any) -> dict[str, RealTopic]:
    """Return the topic as it would be if it had been declared with these changes."""
    declared = replace(topic, **changed)
    return {topic.name: RealTopic(declared.partitions, declared.config() | {"segment.ms": "604800000"})}


def words(steps: list[Step]) -> list[tuple[str, str, str]]:
    return [(step.what, step.detail, step.consequence) for step in steps]


def test_missing_topic_is_created() -> None:
    assert words(plan([DECLARED], {})) == [("create", "partitions 4, cleanup delete, kept 30 days", "")]


def test_topic_as_declared_needs_no_step() -> None:
    assert words(plan([DECLARED], real())) == [("nothing", "", "")]


def test_undeclared_settings_stay_unchanged() -> None:
    topic = real()["t"]
    other = RealTopic(topic.partitions, {**topic.config, "segment.ms": "3600000"})

    assert words(plan([DECLARED], {"t": other})) == [("nothing", "", "")]


def test_undeclared_topics_stay_unchanged() -> None:
    assert [step.topic.name for step in plan([DECLARED], real() | {"other": RealTopic(1, {})})] == ["t"]


def test_longer_retention_is_altered() -> None:
    steps = plan([DECLARED], real(retention_ms=7 * DAY_MS))

    assert words(steps) == [("alter", "retention.ms 7 days → 30 days", "")]


@pytest.mark.parametrize("kept", [60 * DAY_MS, FOREVER_MS])
def test_shorter_retention_loses_data(kept: int) -> None:
    [step] = plan([DECLARED], real(retention_ms=kept))

    assert (step.what, step.consequence) == ("alter", "data loss")


def test_unlimited_retention_loses_no_data() -> None:
    [step] = plan([replace(DECLARED, retention_ms=FOREVER_MS)], real())

    assert words([step]) == [("alter", "retention.ms 30 days → for ever", "")]


@pytest.mark.parametrize(("was", "now"), [("delete", "compact"), ("compact", "delete")])
def test_changed_cleanup_policy_loses_data(was: str, now: Any) -> None:
    [step] = plan([replace(DECLARED, cleanup=now)], real(cleanup=was))

    assert words([step]) == [("alter", f"cleanup.policy {was} → {now}", "data loss")]


@pytest.mark.parametrize(
    ("name", "was", "in_words"),
    [
        ("retention.bytes", "1000000", "retention.bytes 1000000 → unlimited"),
        ("delete.retention.ms", "0", "delete.retention.ms 0 ms → 1 day"),
        ("message.timestamp.before.max.ms", "3600000", "message.timestamp.before.max.ms 1 hour → unlimited"),
        ("message.timestamp.type", "LogAppendTime", "message.timestamp.type LogAppendTime → CreateTime"),
        ("unclean.leader.election.enable", "true", "unclean.leader.election.enable true → false"),
    ],
)
def test_setting_that_can_lose_or_refuse_records_is_declared(name: str, was: str, in_words: str) -> None:
    topic = real()["t"]

    steps = plan([DECLARED], {"t": replace(topic, config={**topic.config, name: was})})

    assert words(steps) == [("alter", in_words, "")]


def test_shorter_tombstone_retention_loses_data() -> None:
    topic = real()["t"]
    longer = {**topic.config, "delete.retention.ms": str(7 * DAY_MS)}

    [step] = plan([DECLARED], {"t": replace(topic, config=longer)})

    assert (step.detail, step.consequence) == ("delete.retention.ms 7 days → 1 day", "data loss")


@pytest.mark.parametrize(
    ("settings", "expected_text"),
    [
        ({"min.insync.replicas": "2"}, "min.insync.replicas is 2, but a partition has 1 replicas"),
        ({"segment.bytes": "1000000", "max.message.bytes": "1048588"}, "segment.bytes is 1000000, less than max"),
    ],
)
def test_setting_that_refuses_every_record_is_reported(settings: dict[str, str], expected_text: str) -> None:
    topic = real()["t"]

    [step] = plan([DECLARED], {"t": replace(topic, config={**topic.config, **settings})})

    assert step.what == "can't"
    assert step.detail.startswith(expected_text)


def test_more_partitions_move_keys() -> None:
    assert words(plan([DECLARED], real(partitions=2))) == [("add partitions", "partitions 2 → 4", "key moves")]


def test_fewer_partitions_are_impossible() -> None:
    [step] = plan([DECLARED], real(partitions=6))

    assert words([step]) == [("can't", "partitions 6 → 4: Kafka can't remove partitions; declare 6", "")]


def test_one_topic_can_need_several_steps() -> None:
    steps = plan([DECLARED], real(partitions=2, retention_ms=7 * DAY_MS))

    assert [step.what for step in steps] == ["add partitions", "alter"]


def test_data_loss_must_be_allowed_by_topic() -> None:
    steps = plan([DECLARED], real(retention_ms=FOREVER_MS))

    [reason] = blocked_steps(steps, allow_data_loss=["other"])

    assert reason == ("t: retention.ms for ever → 30 days deletes data; if that is intended, add `--allow-data-loss t`")
    assert blocked_steps(steps, allow_data_loss=["t"]) == []


def test_key_moves_must_be_allowed_by_topic() -> None:
    steps = plan([DECLARED], real(partitions=2))

    [reason] = blocked_steps(steps, allow_data_loss=["t"])

    assert "the order by key is lost across the change" in reason
    assert reason.endswith("add `--allow-key-moves t`")
    assert blocked_steps(steps, allow_key_moves=["t"]) == []


def test_impossible_step_can_not_be_allowed() -> None:
    steps = plan([DECLARED], real(partitions=6))

    assert len(blocked_steps(steps, allow_data_loss=["t"], allow_key_moves=["t"])) == 1


def test_harmless_steps_are_not_blocked() -> None:
    assert blocked_steps(plan(TOPICS, {})) == []


@pytest.mark.parametrize(
    ("milliseconds", "in_words"),
    [
        (FOREVER_MS, "for ever"),
        (2**63 - 1, "unlimited"),
        (DAY_MS, "1 day"),
        (36 * 3_600_000, "36 hours"),
        (300_000, "5 minutes"),
        (1000, "1 second"),
        (1234, "1234 ms"),
        (0, "0 ms"),
    ],
)
def test_retention_is_shown_in_words(milliseconds: int, in_words: str) -> None:
    assert duration(milliseconds) == in_words
