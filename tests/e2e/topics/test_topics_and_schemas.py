"""Topics and schemas against the real broker and the real registry."""

import copy
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from kafka import KafkaProducer
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import InvalidTimestampError

from connectors.kafka.registry import RULE, RegistryError, SchemaRefusedError, SchemaRegistry
from connectors.kafka.topics import DAY_MS, FUTURE_LIMIT, PAYMENTS, TOPICS, Topic
from connectors.settings import Settings
from events import Event
from events.schemas import schema, schema_text
from local.stack.supervisor import Stack
from ops.topics.apply import TopicsBlockedError, apply, describe, plan
from ops.topics.commands import topics
from ops.topics.keys import sample_keys
from ops.topics.schema_commands import schemas
from ops.topics.schemas import SchemasRefusedError, check_registry, register, release
from tests.builders.schema_changes import COMPATIBLE, INCOMPATIBLE, Change

pytestmark = pytest.mark.usefixtures("stack")


class Thing(Event, frozen=True, kw_only=True):
    """The event that these tests register."""

    name: str
    """Name of the thing."""


class BrokenThing(Event, frozen=True, kw_only=True):
    """The same event with an incompatible field."""

    name: int
    """Number of the thing."""


@pytest.fixture
def settings(stack: object) -> Settings:  # noqa: ARG001
    return Settings.from_environment()


@pytest.fixture
def admin(settings: Settings) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    yield client
    client.close()


@pytest.fixture
def topic(admin: Any) -> Iterator[Topic]:
    """A declared topic of this test alone, which doesn't exist yet."""
    declared = replace(PAYMENTS, name=f"test-{uuid.uuid4()}", partitions=2, retention_ms=7 * DAY_MS, event=Thing)
    yield declared
    if declared.name in admin.list_topics():
        admin.delete_topics([declared.name])


@pytest.fixture
def producer(settings: Settings) -> Iterator[Any]:
    client = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    yield client
    client.close()


@pytest.fixture
def registry(settings: Settings) -> SchemaRegistry:
    return SchemaRegistry(settings.schema_registry_url)


def changed(topic: Topic, **changes: Any) -> list[Topic]:
    """Return the same topic, declared differently."""
    return [replace(topic, **changes)]


def test_apply_creates_the_declared_topics(settings: Settings) -> None:
    apply(settings)

    assert {step.what for step in plan(TOPICS, describe(settings))} == {"nothing"}


def test_topic_is_created_as_declared(settings: Settings, topic: Topic) -> None:
    done = apply(settings, [topic])

    real = describe(settings)[topic.name]
    assert [step.what for step in done] == ["create"]
    assert real.partitions == 2
    assert {name: real.config[name] for name in topic.config()} == topic.config()


def test_second_apply_changes_nothing(settings: Settings, topic: Topic) -> None:
    apply(settings, [topic])

    assert apply(settings, [topic]) == []


def test_altered_topic_keeps_its_other_settings(settings: Settings, topic: Topic, admin: Any) -> None:
    apply(settings, [topic])
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, {"segment.ms": "3600000"})])

    apply(settings, changed(topic, retention_ms=9 * DAY_MS))

    config = describe(settings)[topic.name].config
    assert (config["retention.ms"], config["segment.ms"]) == (str(9 * DAY_MS), "3600000")


@contextmanager
def default_of_the_brokers(admin: Any, name: str, value: str) -> Iterator[None]:
    """Set another default of the brokers while the block runs."""
    [broker] = admin.describe_cluster()["brokers"]

    def change(to: object) -> None:
        admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, str(broker["broker_id"]), {name: to})])

    change(value)
    try:
        yield
    finally:
        change((AlterConfigOp.DELETE, None))


@pytest.fixture
def small_by_default(admin: Any) -> Iterator[None]:
    """Brokers whose default has just become to keep little."""
    with default_of_the_brokers(admin, "log.retention.bytes", "1000000"):
        yield


@pytest.fixture
def short_segments_by_default(admin: Any) -> Iterator[None]:
    """Brokers by whose new default no large record fits into a segment."""
    with default_of_the_brokers(admin, "log.segment.bytes", "1048576"):
        yield


@pytest.mark.usefixtures("small_by_default")
def test_broker_default_that_loses_data_is_overridden_by_apply(settings: Settings, topic: Topic, admin: Any) -> None:
    options = {"num_partitions": 2, "configs": {"retention.ms": str(topic.retention_ms)}}
    admin.create_topics({topic.name: options}, wait_for_metadata=True)

    [step] = [
        each for each in plan([topic], describe(settings)) if each.detail.startswith(("retention.bytes", "cleanup"))
    ]
    apply(settings, [topic])

    assert (step.what, step.detail) == ("alter", "retention.bytes 1000000 → unlimited")
    assert describe(settings)[topic.name].config["retention.bytes"] == "-1"


@pytest.mark.usefixtures("short_segments_by_default")
def test_broker_default_that_makes_new_topics_useless_is_reported_at_once(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.topics.commands.TOPICS", (topic,))

    applied = CliRunner().invoke(topics, ["apply", "--yes"])

    assert applied.exit_code == 1
    assert applied.output.splitlines()[-2] == "Error: the topics were changed, but can't be used"
    assert applied.output.splitlines()[-1].startswith(f"{topic.name}: segment.bytes is 1048576, less than max")


def test_list_shows_how_a_topic_differs_from_its_declaration(
    settings: Settings, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.topics.commands.TOPICS", (topic, replace(topic, name=f"{topic.name}-missing")))
    apply(settings, changed(topic, retention_ms=9 * DAY_MS))

    listed = CliRunner().invoke(topics, ["list"])

    assert listed.exit_code == 0, listed.output
    assert [line.rpartition("service  ")[2] for line in listed.output.splitlines()[1:]] == [
        "differs: retention.ms 9 days → 7 days",
        "missing",
    ]


def test_apply_deletes_data_only_if_allowed(settings: Settings, topic: Topic) -> None:
    apply(settings, [topic])
    shorter = changed(topic, retention_ms=DAY_MS)

    with pytest.raises(TopicsBlockedError, match="deletes data"):
        apply(settings, shorter)
    refused = describe(settings)[topic.name].config["retention.ms"]
    apply(settings, shorter, allow_data_loss=[topic.name])
    allowed = describe(settings)[topic.name].config["retention.ms"]

    assert (refused, allowed) == (str(7 * DAY_MS), str(DAY_MS))


def test_apply_moves_keys_only_if_allowed(settings: Settings, topic: Topic) -> None:
    apply(settings, [topic])
    wider = changed(topic, partitions=4)

    with pytest.raises(TopicsBlockedError, match="the order by key is lost"):
        apply(settings, wider)
    refused = describe(settings)[topic.name].partitions
    apply(settings, wider, allow_key_moves=[topic.name])
    allowed = describe(settings)[topic.name].partitions

    assert (refused, allowed) == (2, 4)


def test_one_blocked_step_stops_the_whole_plan(settings: Settings, topic: Topic) -> None:
    apply(settings, [topic])

    with pytest.raises(TopicsBlockedError, match="Kafka can't remove partitions"):
        apply(settings, [replace(topic, name=f"{topic.name}-new"), *changed(topic, partitions=1)])

    assert f"{topic.name}-new" not in describe(settings)


def test_apply_without_a_terminal_only_shows_the_plan(
    settings: Settings, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.topics.commands.TOPICS", (topic,))

    shown = CliRunner().invoke(topics, ["apply"])
    exists = topic.name in describe(settings)
    applied = CliRunner().invoke(topics, ["apply", "--yes"])

    assert shown.exit_code == 1
    assert "partitions 2, cleanup delete, kept 7 days" in shown.output
    assert "run it again with --yes" in shown.output
    assert not exists
    assert applied.exit_code == 0, applied.output
    assert topic.name in describe(settings)


def test_record_from_the_future_is_refused_by_the_broker(settings: Settings, topic: Topic, producer: Any) -> None:
    apply(settings, [topic])
    now, limit = int(time.time() * 1000), int(FUTURE_LIMIT.total_seconds() * 1000)

    producer.send(topic.name, b"soon", timestamp_ms=now + limit - 60_000).get(timeout=10)
    with pytest.raises(InvalidTimestampError):
        producer.send(topic.name, b"too far", timestamp_ms=now + limit + 60_000).get(timeout=10)


def test_hottest_key_is_measured(settings: Settings, topic: Topic, producer: Any) -> None:
    apply(settings, [topic])
    for key in ["hot"] * 6 + ["a", "b", "c", "d"]:
        producer.send(topic.name, b"x", key=key.encode())
    producer.flush()

    sample = sample_keys(settings, topic.name, latest=1000)

    assert (sample.records, sample.keys, sample.hottest_key, sample.hottest_share) == (10, 5, b"hot", 0.6)
    assert sum(sample.partition_shares.values()) == pytest.approx(1)


def test_event_schemas_are_registered(settings: Settings, registry: SchemaRegistry) -> None:
    register(settings)

    assert {each.outcome for each in register(settings)} == {"unchanged"}
    assert {registry.rule(topic.subject) for topic in TOPICS} == {RULE}
    assert {verdict.state for verdict in check_registry(settings)} == {"unchanged"}


def test_released_schema_has_the_same_version_in_every_registry(
    settings: Settings, registry: SchemaRegistry, topic: Topic, tmp_path: Path
) -> None:
    [released] = release([topic], tmp_path)
    released.write_text(schema_text(schema(Thing) | {"description": "Older words."}), "utf-8")

    [registration] = register(settings, [topic], tmp_path)

    assert (registration.version, registration.outcome) == (2, "new")
    assert registry.schemas(topic.subject)[2] == schema(Thing)


def test_schema_that_breaks_readers_is_refused_with_the_reason(
    settings: Settings, registry: SchemaRegistry, topic: Topic, tmp_path: Path
) -> None:
    register(settings, [topic], tmp_path)

    with pytest.raises(SchemasRefusedError) as refusal:
        register(settings, changed(topic, event=BrokenThing), tmp_path)

    assert str(refusal.value) == (
        f"{topic.subject}: version 1: $.name: type changed from string to integer; old records would not be readable"
    )
    assert list(registry.schemas(topic.subject)) == [1]


def test_schema_commands_show_what_is_refused_and_why(
    settings: Settings, topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(settings, [topic], tmp_path)
    monkeypatch.setattr("ops.topics.schema_commands.TOPICS", tuple(changed(topic, event=BrokenThing)))

    registered = CliRunner().invoke(schemas, ["register"])
    checked = CliRunner().invoke(schemas, ["check", "--registry"])

    for result in (registered, checked):
        assert result.exit_code == 1
        assert "$.name: type changed from string to integer" in result.output
    assert f"{topic.subject}  –        refused" in registered.output


PROTOBUF = {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; message Thing { string name = 1; }'}
AVRO = {"schema": '{"type": "record", "name": "Thing", "fields": [{"name": "name", "type": "string"}]}'}
LISTS = {"schemaType": "JSON", "schema": '{"type": "object", "properties": {"name": {"type": "array"}}}'}


@pytest.mark.parametrize(
    ("theirs", "expected_text"),
    [
        (PROTOBUF, "version 1 is PROTOBUF, no JSON Schema"),
        (AVRO, "version 1 is AVRO, no JSON Schema"),
        (LISTS, "version 1: $.name: type changed from array to string"),
    ],
    ids=["protobuf", "avro", "json"],
)
def test_subject_with_foreign_schemas_is_reported_and_left_unchanged(
    settings: Settings, topic: Topic, theirs: dict[str, str], expected_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = SchemaRegistry(settings.schema_registry_url)
    versions = f"{settings.schema_registry_url}/subjects/{topic.subject}/versions"
    requests.post(versions, json=theirs, timeout=10).raise_for_status()
    registry.set_rule(topic.subject, "NONE")
    monkeypatch.setattr("ops.topics.schema_commands.TOPICS", (topic,))

    registered = CliRunner().invoke(schemas, ["register"])
    checked = CliRunner().invoke(schemas, ["check", "--registry"])

    for result in (registered, checked):
        assert result.exit_code == 1
        assert f"{topic.subject}: {expected_text}" in result.output
        assert "MILLRACE_SCHEMA_REGISTRY_URL" not in result.output
    assert registry.rule(topic.subject) == "NONE"
    assert requests.get(versions, timeout=10).json() == [1]


def test_register_changes_no_rule_and_check_reports_a_different_rule(
    settings: Settings, registry: SchemaRegistry, topic: Topic, tmp_path: Path
) -> None:
    register(settings, [topic], tmp_path)
    registry.set_rule(topic.subject, "NONE")

    [registration] = register(settings, [topic], tmp_path)
    [verdict] = check_registry(settings, [topic])

    assert (registration.outcome, registry.rule(topic.subject)) == ("unchanged", "NONE")
    assert verdict.state == "unguarded"
    assert verdict.reasons[0].startswith("its rule is NONE")


def test_registry_refusal_is_quoted_and_only_a_wrong_api_blames_the_url(
    settings: Settings, registry: SchemaRegistry, topic: Topic
) -> None:
    elsewhere = SchemaRegistry(settings.schema_registry_url.removesuffix("/apis/ccompat/v7"))

    with pytest.raises(RegistryError, match=r"refuses PUT .*/config/test-") as refused:
        registry.set_rule(topic.subject, "SOMETIMES")
    with pytest.raises(RegistryError, match="must name the root of Confluent's API"):
        elsewhere.schemas(topic.subject)

    assert "MILLRACE_SCHEMA_REGISTRY_URL" not in str(refused.value)


@pytest.mark.parametrize("declared", TOPICS, ids=lambda topic: topic.name)
def test_optional_field_can_be_added_to_every_event(declared: Topic, registry: SchemaRegistry) -> None:
    subject = f"test-{uuid.uuid4()}"
    wider = copy.deepcopy(schema(declared.event))
    wider["properties"]["added"] = {"type": "string"}

    registry.set_rule(subject)
    registry.register(subject, schema(declared.event))

    assert registry.register(subject, wider).version == 2


@pytest.mark.parametrize("change", COMPATIBLE + INCOMPATIBLE, ids=lambda change: change.what)
def test_registry_and_our_check_agree_on_a_schema_change(change: Change, registry: SchemaRegistry) -> None:
    subject = f"test-{uuid.uuid4()}"
    registry.set_rule(subject)
    registry.register(subject, change.old)
    expected = not change.reason or change.registry_accepts

    assert registry.accepts(subject, change.new) == expected
    if not expected:
        with pytest.raises(SchemaRefusedError):
            registry.register(subject, change.new)


def test_killed_registry_is_reported_and_filled_again_by_register(stack: Stack, settings: Settings) -> None:
    register(settings)
    stack.kill("registry")
    checked = CliRunner().invoke(schemas, ["check", "--registry"])
    stack.up(["registry"])
    empty = {verdict.state for verdict in check_registry(settings)}
    registered = CliRunner().invoke(schemas, ["register"])

    assert checked.exit_code == 1
    assert f"the schema registry at {settings.schema_registry_url} doesn't answer" in checked.output
    assert empty == {"new"}
    assert registered.exit_code == 0
    assert {verdict.state for verdict in check_registry(settings)} == {"unchanged"}
