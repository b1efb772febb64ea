"""The fraud job on the real stack: exact, also after crashes. `reference_runs/fraud_detection.py` is the reference."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pytest
from click.testing import CliRunner
from kafka import KafkaProducer, TopicPartition

from connectors.kafka import topics
from connectors.settings import Settings
from events import Payment
from local.simulator.faults import Faults
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.payment_service import PaymentOptions, generate
from local.stack.supervisor import Stack
from ops.rules import commands, rulesets
from ops.topics import apply as topic_operations
from tests.builders.events import payment, rule, ruleset
from tests.e2e.deployment import (
    Deployment,
    Outputs,
    ids,
    in_checkout,
    publish_default_rules,
    records_from,
    repeated,
    wait_for,
)
from tests.reference_runs import fraud_detection as reference_run
from tests.services.python_workers import kill_python_workers
from udfs.fraud.ruleset_files import RulesetFile

Offsets = Mapping[TopicPartition, int]
FAULTS = Faults(duplicates=0.005, out_of_order_seconds=3, late=0.002, bad=0.01)


def payments(number: int, seed: int) -> list[Outgoing]:
    """Return a run of the payment service that ended just now, in simulated time, with an hour of history before."""
    rate = 50.0
    seconds = number / rate
    start_ms = round((time.time() - seconds - 60) * 1000)
    options = PaymentOptions(
        start_ms=start_ms, rate=rate, seconds=seconds, seed=seed, fraud_share=0.03, history_hours=1, faults=FAULTS
    )
    return list(generate(options))


def expected_alert_ids(sent: Sequence[Outgoing]) -> set[str]:
    return {
        alert.event_id for alert in reference_run.alerts(reference_run.judged(sent, reference_run.default_ruleset()))
    }


def assert_exact(deployment: Deployment, sent: Sequence[Outgoing], restarted_at: Offsets | None = None) -> None:
    """Assert each expected alert and a dead letter of each bad record; only what a restart repeats may be there twice.

    Args:
        restarted_at: offsets committed before the job was made to restart; if not given, it didn't restart.
    """
    outputs = deployment.outputs()
    alerts, letters = outputs.alerts(), outputs.dead_letters()
    read_again = list(records_from(deployment.settings, restarted_at)) if restarted_at else []
    payment_ids = {each.value(): each.event.payment_id for each in sent if isinstance(each.event, Payment)}
    positions_again = {f"{each.topic}-{each.partition}-{each.offset}" for each in read_again}
    payments_again = {payment_ids[each.value] for each in read_again if each.value in payment_ids}
    assert set(ids(alerts)) == expected_alert_ids(sent)
    assert len(set(ids(letters))) == sum(outgoing.event is None for outgoing in sent)
    alerts_again = repeated(alerts)
    assert {each.payment_id for each in alerts if each.event_id in alerts_again} <= payments_again
    assert repeated(letters) <= positions_again


def thirds(sent: list[Outgoing]) -> tuple[list[Outgoing], list[Outgoing], list[Outgoing]]:
    third = len(sent) // 3
    return sent[:third], sent[third : 2 * third], sent[2 * third :]


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001 - it must run, and its settings are in the environment
    """The shared stack with its topics and the default rules, in force from the beginning."""
    settings = Settings.from_environment()
    topic_operations.apply(settings)
    publish_default_rules(settings)
    return settings


@pytest.fixture
def deployment(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A job of the test's own, cancelled after the test."""
    deployment = Deployment(settings, request.node.name)
    try:
        yield deployment
    finally:
        deployment.cancel()


@dataclass(frozen=True)
class Reconciled:
    """A large run whose input was read to the end."""

    sent: list[Outgoing]
    began_at: dict[TopicPartition, int]
    outputs: Outputs


@pytest.fixture(scope="module")
def reconciled(settings: Settings) -> Iterator[Reconciled]:
    """20,000 payments with bad records, duplicates, late and out-of-order ones, through one undisturbed job."""
    deployment = Deployment(settings, "reconciled")
    sent = payments(20_000, seed=1)
    try:
        deployment.start()
        deployment.publish(sent)
        deployment.wait_until_all_is_read()
        deployment.stop()
        yield Reconciled(sent, deployment.begins_at, deployment.outputs())
    finally:
        deployment.cancel()


def test_alerts_are_exactly_those_of_the_oracle(reconciled: Reconciled) -> None:
    expected = expected_alert_ids(reconciled.sent)

    assert len(expected) > 50
    assert ids(reconciled.outputs.alerts()) == sorted(expected)


def test_every_bad_record_is_a_dead_letter_with_payload_key_and_time(reconciled: Reconciled) -> None:
    bad = [outgoing for outgoing in reconciled.sent if outgoing.event is None]
    letters = reconciled.outputs.dead_letters()

    assert len(bad) >= 150
    assert sorted(letter.payload or b"" for letter in letters) == sorted(each.value() for each in bad)
    assert {(letter.payload, letter.source_key, letter.event_time) for letter in letters} == {
        (each.value(), each.key, each.timestamp_ms) for each in bad
    }
    assert all(letter.reason for letter in letters)


def test_dead_letter_coordinates_lead_to_its_record(reconciled: Reconciled, settings: Settings) -> None:
    letters = {
        (each.source_topic, each.source_partition, each.source_offset): each.payload
        for each in reconciled.outputs.dead_letters()
    }

    records = {
        (record.topic, record.partition, record.offset): record.value
        for record in records_from(settings, reconciled.began_at)
    }

    assert letters == {coordinates: records[coordinates] for coordinates in letters}


def test_late_payment_is_emitted_once_to_late_payments(reconciled: Reconciled) -> None:
    judged = reference_run.judged(reconciled.sent, reference_run.default_ruleset())
    late = [each.payment.event_id for each in judged if each.row.is_late and not each.row.is_duplicate]

    kept = reconciled.outputs.dead_letters(topics.LATE_PAYMENTS)

    assert late
    assert sorted(msgspec.json.decode(each.payload or b"", type=Payment).event_id for each in kept) == sorted(late)


def test_topic_replay_by_another_group_gives_the_same_alerts(reconciled: Reconciled, settings: Settings) -> None:
    replay = Deployment(settings, "replay", begin_at=reconciled.began_at)
    try:
        replay.start()
        replay.wait_until_all_is_read()
        replay.stop()
    finally:
        replay.cancel()

    assert ids(replay.outputs().alerts()) == ids(reconciled.outputs.alerts())


def test_one_kill_of_each_kind_loses_no_alert_and_adds_no_other(deployment: Deployment, stack: Stack) -> None:
    sent = payments(4_000, seed=7)
    first, second, third = thirds(sent)
    half = len(second) // 2
    deployment.start(options={"python.execution-mode": "process"})
    deployment.publish(first)
    deployment.wait_for_checkpoints()
    restarted_at = deployment.committed()

    deployment.publish(second[:half])
    kill_python_workers(stack)
    wait_for("the restart after the worker's end", lambda: deployment.restarts() == 1)
    deployment.wait_until_running()
    taskmanager = deployment.taskmanager()
    stack.kill(taskmanager)
    deployment.publish(second[half:])
    stack.start(taskmanager)
    wait_for("the restart after the TaskManager's end", lambda: deployment.restarts() == 2)
    deployment.wait_until_running()
    stack.kill("kafka")
    stack.start("kafka")
    deployment.publish(third)
    deployment.wait_until_running()
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert_exact(deployment, sent, restarted_at)


@pytest.mark.full
def test_killed_taskmanager_loses_no_alert_and_adds_no_other(deployment: Deployment, stack: Stack) -> None:
    sent = payments(4_000, seed=2)
    first, second, third = thirds(sent)
    deployment.start(options={"parallelism.default": "2"})
    deployment.publish(first)
    deployment.wait_for_checkpoints()

    deployment.publish(second)
    restarted_at = deployment.committed()
    taskmanager = deployment.taskmanager()
    stack.kill(taskmanager)
    deployment.publish(third)
    stack.start(taskmanager)
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() >= 1
    assert_exact(deployment, sent, restarted_at)


@pytest.mark.full
def test_killed_python_worker_loses_no_alert_and_adds_no_other(deployment: Deployment, stack: Stack) -> None:
    sent = payments(4_000, seed=3)
    first, second, third = thirds(sent)
    deployment.start(options={"python.execution-mode": "process"})
    deployment.publish(first)
    deployment.wait_for_checkpoints()

    deployment.publish(second)
    restarted_at = deployment.committed()
    kill_python_workers(stack)
    deployment.publish(third)
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() >= 1
    assert_exact(deployment, sent, restarted_at)


@pytest.mark.full
def test_killed_broker_loses_no_alert_and_adds_no_other(deployment: Deployment, stack: Stack) -> None:
    sent = payments(4_000, seed=5)
    first, second, third = thirds(sent)
    deployment.start()
    deployment.publish(first)
    deployment.wait_for_checkpoints()

    deployment.publish(second)
    restarted_at = deployment.committed()
    stack.kill("kafka")
    stack.start("kafka")
    deployment.publish(third)
    deployment.wait_until_running()
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert_exact(deployment, sent, restarted_at)


@pytest.mark.full
def test_jobs_lost_with_the_jobmanager_are_listed_with_a_resuming_command(deployment: Deployment, stack: Stack) -> None:
    sent = payments(4_000, seed=6)
    first, second, third = thirds(sent)
    deployment.start()
    deployment.publish(first)
    deployment.wait_for_checkpoints()
    deployment.publish(second)
    restarted_at = deployment.committed()

    stack.kill("jobmanager")
    deployment.publish(third)
    up = in_checkout("-m local.stack up")
    command = deployment.resume_lost_job()
    deployment.wait_until_all_is_read()
    left = in_checkout("-m ops jobs list")
    deployment.stop()
    ended = stack.setup.place("flink").folder / "ended-jobs"
    wait_for("the job to be among those that ended", lambda: any(ended.rglob(f"{deployment.job_id}*")))

    assert "was lost when the JobManager stopped; continue from its last checkpoint with" in up
    assert command in up.splitlines()
    assert "--savepoint" in command
    assert "was lost" not in left
    assert_exact(deployment, sent, restarted_at)
    assert "was lost" not in in_checkout("-m ops jobs list")


def test_restart_from_a_savepoint_changes_no_alert(deployment: Deployment) -> None:
    sent = payments(4_000, seed=4)
    first, second, third = thirds(sent)
    deployment.start()
    deployment.publish(first)
    deployment.publish(second)
    deployment.wait_for_checkpoints()

    savepoint = deployment.stop()
    deployment.publish(third)
    deployment.start(savepoint=savepoint)
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert_exact(deployment, sent)


UNUSABLE_RULESETS = (
    None,
    b"\xff",
    b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    msgspec.json.encode(ruleset(rule("digits", f"count_1m < {'9' * 310}"), version=1_000_001)),
    msgspec.json.encode(ruleset(rule("deep", "(" * 250 + "count_1m > 1" + ")" * 250), version=1_000_002)),
    msgspec.json.encode(ruleset(version=2**63)),
)


def test_new_ruleset_takes_effect_at_its_time_and_invalid_ones_stop_no_job(
    deployment: Deployment, settings: Settings
) -> None:
    publish_unchecked(settings, UNUSABLE_RULESETS)
    deployment.start()
    first = publish_unchecked(settings, UNUSABLE_RULESETS)
    rejected = CliRunner().invoke(commands.rulesets, ["list"])
    file = RulesetFile(alert_score=50, quiet_minutes=30, rule=(rule("a_shop", "merchant_id = 'another-shop'"),))
    published = rulesets.publish(settings, file, "test")
    at = published.effective_from
    accepted = CliRunner().invoke(commands.rulesets, ["list"])

    wait_for("the new rules to hold", lambda: time.time() * 1000 >= at)
    before, after = (
        payment(card, merchant_id="another-shop", event_time=event_time, payment_id=f"{card}-{event_time}")
        for card, event_time in (("before", at - 1), ("after", at))
    )
    deployment.publish([outgoing(before), outgoing(after)])
    deployment.wait_until_all_is_read()
    deployment.stop()

    assert deployment.restarts() == 0
    assert [(each.card_id, each.ruleset_version) for each in deployment.outputs().alerts()] == [
        ("after", published.version)
    ]
    assert (rejected.exit_code, accepted.exit_code) == (1, 0)
    assert "the last publication is not in force" in rejected.output
    for offset in range(first, first + len(UNUSABLE_RULESETS)):
        assert f"rejected at offset {offset}, so that every job ignores it:" in accepted.output
    assert "has more than 15 digits" in accepted.output


def publish_unchecked(settings: Settings, values: Sequence[bytes | None]) -> int:
    """Send records to the topic of rulesets without the checks of `ops`, and return the offset of the first."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    try:
        sent = [producer.send(topics.FRAUD_RULESETS.name, key=b"0", value=value) for value in values]
        return int(sent[0].get(timeout=30).offset)
    finally:
        producer.close()


def outgoing(event: Payment) -> Outgoing:
    """Return a payment as a record to be sent."""
    return Outgoing(topics.PAYMENTS, event.card_id.encode(), event.event_time, event.event_time, GOOD, event)
