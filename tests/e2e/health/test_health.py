"""`ops health` on the real stack: every metric that it reads exists, and faults show in their checks."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from connectors.elasticsearch.client import client
from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.kafka.client import client_options
from connectors.kafka.topics import PAYMENTS, PRODUCT_CHANGES, TOP_PRODUCTS
from connectors.settings import Settings
from jobs.flow import ORDER_ENRICHMENT
from local.simulator.outgoing import BAD, GOOD, Outgoing
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.health.answers import cluster
from ops.health.answers.freshness import Sink, missing
from ops.health.answers.letters import Letters
from ops.health.answers.stores import MailSettings, check_mail_server
from ops.health.checks import CHECKS
from ops.health.measures import sinks
from ops.health.scope import Scope
from ops.search import apply as search_operations
from ops.search.indices import declared
from ops.topics import apply as topic_operations
from ops.topics.schemas import register
from ops.warehouse.database import migrate
from tests.builders.events import payment
from tests.e2e.deployment import Deployment, consumer_of, publish_default_rules, wait_for
from tests.unit.health.test_runbooks import commands

NUMBER = 200
READING_COMMANDS = {
    *(("cdc", "status"), ("dead-letters", "count"), ("dead-letters", "list"), ("health", "--only")),
    *(("jobs", "list"), ("rulesets", "list"), ("schemas", "check")),
    *(("search", "find"), ("search", "status"), ("topics", "keys"), ("topics", "list"), ("warehouse", "status")),
}
OF_FLINK_AND_KAFKA = {
    check.id for check in CHECKS if not check.id.startswith(("capture-", "schema-")) and check.id != "service-silent"
}
READING = [
    words
    for words in sorted({tuple(words) for check in CHECKS for words in commands(check)})
    if words[:2] in READING_COMMANDS and "--watch" not in words and "ID" not in words
]
"""Commands of runbooks that change nothing."""
RECOVERS_WITHIN_SECONDS = 120.0


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics, schemas and rules."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    register(settings)
    publish_default_rules(settings)
    return settings


@pytest.fixture(scope="module")
def deployment(settings: Settings) -> Iterator[Deployment]:
    """The fraud job of a deployment of its own, which has read some payments."""
    found = Deployment(settings, "health")
    try:
        found.start()
        found.publish([outgoing(number) for number in range(NUMBER)])
        found.wait_until_all_is_read()
        yield found
    finally:
        found.cancel()


def outgoing(number: int, bad_value: bytes = b"") -> Outgoing:
    """Return a payment of now, or a bad record."""
    now = round(time.time() * 1000)
    name = f"health-{now}-{number}"
    event = None if bad_value else payment(f"card-{number}", event_id=name, payment_id=name, event_time=now)
    kind = f"{BAD}:health" if bad_value else GOOD
    return Outgoing(PAYMENTS, f"card-{number}".encode(), now, now, kind, event, bad_value)


def health(settings: Settings, *only: str) -> list[dict[str, Any]]:
    """Run the command for a deployment, and return its results."""
    chosen = [word for id_ in only for word in ("--only", id_)]
    done = CliRunner().invoke(main, ["health", "--json", *chosen], env=settings.as_variables())
    document = json.loads(done.stdout)
    assert done.exit_code == (0 if document["healthy"] else 1)
    results: list[dict[str, Any]] = document["results"]
    return results


def levels(settings: Settings, check: str) -> dict[str, str]:
    """Return the level of each subject of one check; the subject is empty if the check can't be made."""
    return {each["subject"]: each["level"] for each in health(settings, check)}


def test_every_check_of_flink_and_kafka_can_be_made(deployment: Deployment) -> None:
    results = [each for each in health(deployment.settings) if each["check"] in OF_FLINK_AND_KAFKA]

    assert [each for each in results if each["level"] == "unknown"] == []
    assert {each["check"] for each in results} == OF_FLINK_AND_KAFKA
    running = [each for each in results if each["check"] in {"job-missing", "job-interrupted"}]
    assert {(each["subject"], each["value"]) for each in running} == {("fraud_detection", 0)}


def test_every_metric_that_is_read_exists(deployment: Deployment) -> None:
    wait_for("metrics of every vertex", lambda: all(each.metrics for each in Scope(deployment.settings).tasks))
    tasks = Scope(deployment.settings).tasks

    assert len(tasks) > 1
    assert all(set(each.metrics) == set(cluster.TASK_METRICS) for each in tasks)
    [source] = [each for each in tasks if each.watermarks]
    partitions = [name for one in source.watermarks for name in one.partitions]
    expected = [cluster.metric_name(PAYMENTS.name, number) for number in range(PAYMENTS.partitions)]
    assert sorted(partitions) == expected
    wait_for("commits of offsets", lambda: any(each.commits for each in Scope(deployment.settings).tasks))


def test_checkpoints_have_their_size(deployment: Deployment) -> None:
    wait_for("a completed checkpoint", lambda: all(each.completed for each in Scope(deployment.settings).checkpoints))

    [found] = Scope(deployment.settings).checkpoints
    assert found.state_bytes > 0
    assert found.median_state_bytes > 0


def test_every_task_manager_has_its_memory_and_the_checkpoints_their_disk(deployment: Deployment) -> None:
    wait_for(
        "memory of every TaskManager",
        lambda: all(
            each.heap and each.metaspace and each.collecting_ms_per_second is not None
            for each in Scope(deployment.settings).task_managers
        ),
    )
    scope = Scope(deployment.settings)

    assert scope.task_managers
    assert [folder.name for folder in scope.flink_folders] == ["checkpoints", "savepoints"]
    for check in ("taskmanager-heap", "taskmanager-metaspace", "taskmanager-collecting", "disk-checkpoints"):
        assert all(0 <= each["value"] <= 1 for each in health(deployment.settings, check))


def test_lag_and_event_time_are_measured_and_small(deployment: Deployment) -> None:
    names = ("lag-seconds", "lag-records", "event-time")
    results = {each["check"]: each for each in health(deployment.settings, *names)}

    assert set(results) == set(names)
    assert results["lag-seconds"]["subject"] == results["lag-records"]["subject"] == "fraud_detection: payments"
    assert results["event-time"]["subject"].startswith("fraud_detection: payments, subtask ")
    assert {each["level"] for each in results.values()} == {"ok"}


def test_warehouse_search_index_and_mail_server_are_well_and_have_their_newest_events(
    settings: Settings, stack: Stack
) -> None:
    migrate(settings)
    with client(settings) as elasticsearch:
        search_operations.apply(elasticsearch, declared())
    scope = Scope(settings)

    assert (set(scope.warehouse.newest), scope.warehouse.faults) == (set(sinks.TABLES), [])
    assert set(scope.newest_in_search) == set(scope.search_faults) == {each.alias for each in SEARCH_INDICES}
    assert scope.search_cluster.status in {"green", "yellow"}
    assert scope.search_cluster.disk == "unknown"  # the stack's Elasticsearch has no limits
    check_mail_server(MailSettings(stack.setup.local.smtp_url))


def test_sink_lacks_the_records_that_are_newer_than_its_own(deployment: Deployment) -> None:
    brokers, now_ms = Scope(deployment.settings).brokers, round(time.time() * 1000)
    newest = max(at for each, at in brokers.newest.items() if each.topic == PAYMENTS.name)
    tables = [Sink(f"shows {at}", "fraud_detection", PAYMENTS.name, at) for at in (newest, newest - 1)]

    found = list(missing(deployment.settings, tables, brokers, Letters(), now_ms))

    assert [each.since for each in found] == [None, newest]


def test_payments_and_alerts_of_the_last_hours_are_read(deployment: Deployment) -> None:
    assert Scope(deployment.settings).rule_hits.last.payments >= NUMBER


def test_end_of_a_transaction_is_no_newest_record(settings: Settings) -> None:
    partition = TopicPartition(TOP_PRODUCTS.name, 0)
    hours_ago = round((time.time() - 36_000) * 1000)
    with closing(
        KafkaProducer(**client_options(settings.kafka_bootstrap_servers), transactional_id=f"health-{hours_ago}")
    ) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(TOP_PRODUCTS.name, b"{}", partition=partition.partition, timestamp_ms=hours_ago).get(timeout=30)
        producer.commit_transaction()
    wait_for("its end", lambda: Scope(settings).brokers.ends[partition] >= 2)

    assert Scope(settings).brokers.newest[partition] == hours_ago


def test_open_transaction_shows_until_it_ends(settings: Settings) -> None:
    began_ms = round(time.time() * 1000)
    id_ = f"health-{began_ms}"
    producer = KafkaProducer(**client_options(settings.kafka_bootstrap_servers), transactional_id=id_)
    try:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(TOP_PRODUCTS.name, b"{}", partition=0, timestamp_ms=began_ms).get(timeout=30)
        [found] = [each for each in Scope(settings).transactions if each.id == id_]
        assert found.numbers(TOP_PRODUCTS.name) == [0]
        assert abs(found.since - began_ms) < 60_000
        producer.abort_transaction()
        wait_for("its end", lambda: all(each.id != id_ for each in Scope(settings).transactions))
    finally:
        producer.close()


@pytest.mark.full
def test_stopped_job_is_missing_and_its_lag_is_counted(deployment: Deployment) -> None:
    savepoint = deployment.stop()
    deployment.publish([outgoing(number) for number in range(50)])
    try:
        assert levels(deployment.settings, "job-missing") == {"fraud_detection": "fail"}
        [lag] = health(deployment.settings, "lag-records")
        assert lag["value"] == 50
        [seconds] = health(deployment.settings, "lag-seconds")
        assert 0 < seconds["value"] < 120
    finally:
        deployment.start(savepoint=savepoint)
    deployment.wait_until_all_is_read()
    assert levels(deployment.settings, "job-missing") == {"fraud_detection": "ok"}


def reads_changes(settings: Settings) -> None:
    """Let the deployment have the consumer group of a program that needs capture."""
    with consumer_of(settings, ORDER_ENRICHMENT.group(settings)) as consumer:
        consumer.commit({TopicPartition(PRODUCT_CHANGES.name, 0): OffsetAndMetadata(0, "", -1)})


@pytest.mark.full
@pytest.mark.parametrize(
    ("service", "name", "check"),
    [("registry", "schema registry", "schema-unregistered"), ("connect", "Kafka Connect", "capture-connector")],
)
def test_killed_service_shows_until_it_is_back(
    deployment: Deployment, stack: Stack, service: str, name: str, check: str
) -> None:
    settings = deployment.settings
    reads_changes(settings)
    before = levels(settings, check)
    stack.kill(service)
    try:
        assert levels(settings, "service-silent")[name] == "fail"
        assert levels(settings, check) == {"": "unknown"}
        assert "unknown" not in levels(settings, "job-missing").values()
    finally:
        stack.start(service)
    if service == "registry":  # it remembers nothing
        assert "warn" in levels(settings, check).values()
        register(settings)

    wait_for(
        f"{service} to answer",
        lambda: levels(settings, "service-silent")[name] == "ok" and levels(settings, check) == before,
        RECOVERS_WITHIN_SECONDS,
    )


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_command_of_a_runbook_runs(deployment: Deployment, command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, command, env=deployment.settings.as_variables())

    assert done.exit_code in {0, 1}, done.output  # 1: it found a fault
    assert done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_bad_payments_show_as_dead_letters_with_their_share(deployment: Deployment) -> None:
    subject = f"fraud_detection: {PAYMENTS.name}"

    def values(check: str) -> dict[str, float]:
        return {each["subject"]: each["value"] or 0 for each in health(deployment.settings, check)}

    before = values("dead-letters-waiting").get(subject, 0)

    deployment.publish([outgoing(number, b"{") for number in range(20)])
    deployment.wait_until_all_is_read()

    wait_for("20 dead letters more", lambda: values("dead-letters-waiting").get(subject, 0) == before + 20)
    assert values("dead-letters-recent")["fraud_detection"] >= 20
    assert levels(deployment.settings, "dead-letters-recent")["fraud_detection"] in {"warn", "fail"}
    assert 0 < values("dead-letters-share")[subject] <= 1
