"""SQL pipelines on the real stack: one of the checkout, and a user's file outside the checkout."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic

from connectors.kafka import topics
from connectors.settings import Settings
from events import DeadLetter, DeclinedRate, Payment
from local.settings import CHECKOUT
from local.simulator.outgoing import GOOD, Outgoing
from local.stack.supervisor import Stack
from ops.jobs import pipelines
from ops.jobs.submit import SubmitError
from ops.topics import apply as topic_operations
from tests.builders.events import payment
from tests.e2e.deployment import DEADLINE_SECONDS, Deployment, records_from, wait_for
from tests.services.service_process import HEARS_CTRL_C

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
USER_FILE = """\
-- Payments that are large.
-- One row per: payment. Keyed by: card_id.
-- Late: never; nothing waits.
CREATE TABLE large_payments (card_id STRING, payment_id STRING, amount_minor BIGINT) WITH (
    'topic' = 'large-payments',
    'key.format' = 'raw',
    'key.fields' = 'card_id',
    'value.format' = 'json'
) LIKE kafka_sink (OVERWRITING OPTIONS);

INSERT INTO large_payments
SELECT card_id, payment_id, amount_minor
FROM payments
WHERE error IS NULL AND amount_minor > 100000;
"""

EXACTLY_ONCE = """
    'properties.transaction.timeout.ms' = '60000',
    'sink.delivery-guarantee' = 'exactly-once',
    'sink.transactional-id-prefix' = '${CONSUMER_GROUP}'"""


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001 - it must run, and its settings are in the environment
    """Settings of the shared stack with its topics; a partition is idle after a second without a record."""
    settings = Settings.from_environment()
    topic_operations.apply(settings)
    return replace(settings, source_idle_seconds="1")


@contextmanager
def running(settings: Settings, name: str, pipeline: str) -> Iterator[Deployment]:
    """Run a pipeline that reads what is published from now on."""
    outputs = (topics.DECLINED_RATES, topics.DEAD_LETTERS)
    deployment = Deployment(settings, name, pipeline=pipeline, outputs=outputs)
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.cancel()


def sent(event: Payment) -> Outgoing:
    return Outgoing(topics.PAYMENTS, event.card_id.encode(), event.event_time, event.event_time, GOOD, event)


def test_pipeline_emits_its_counts_and_dead_letters_of_late_records(settings: Settings) -> None:
    hour = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 5 * HOUR_MS

    def paid(name: str, minute: float, status: str = "authorized") -> Outgoing:
        event_time = hour + round(minute * MINUTE_MS)
        return sent(payment("c-sql", payment_id=name, event_time=event_time, status=status, country="PT"))

    bad = Outgoing(topics.PAYMENTS, b"c-sql", hour, hour, "bad", None, b"not a payment")
    with running(settings, "ours", "declined_rates") as deployment:

        def rates() -> dict[int, tuple[int, int]]:
            found = deployment.outputs().events[topics.DECLINED_RATES.name]
            return {
                each.window_start - hour: (each.payments, each.declined)
                for each in found
                if isinstance(each, DeclinedRate)
            }

        def reasons() -> list[str]:
            found = deployment.outputs().events[topics.DEAD_LETTERS.name]
            return [
                each.reason for each in found if isinstance(each, DeadLetter) and each.rejected_by == "declined_rates"
            ]

        deployment.publish([paid("a", 1), paid("b", 2, "declined"), paid("b", 2, "declined"), bad, paid("c", 180)])
        wait_for("the hours of the first payments", lambda: 0 in rates())
        deployment.publish([paid("late", 3)])
        wait_for("the late payment's dead letter", lambda: len(reasons()) >= 2)

    first_hours = {start: counts for start, counts in rates().items() if start <= 0}
    assert first_hours == {-minutes * MINUTE_MS: (2, 1) for minutes in range(0, 60, 5)}
    assert [reason.startswith("late: its last hour was closed") for reason in reasons()] == [False, True]


@pytest.fixture
def large_payments(settings: Settings) -> Iterator[Callable[[], list[dict[str, object]]]]:
    """A user's own topic; the function returns its present content."""
    topic = TopicPartition("large-payments", 0)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    admin.create_topics([NewTopic(topic.topic, num_partitions=1, replication_factor=1)])
    yield lambda: [json.loads(each.value) for each in records_from(settings, {topic: 0})]
    admin.delete_topics([topic.topic])
    admin.close()


def large_and_small() -> list[Outgoing]:
    now = round(time.time() * 1000)
    return [sent(payment(card, amount=amount, event_time=now)) for card, amount in (("small", 999), ("large", 1_001))]


LARGE = {"card_id": "large", "payment_id": "large@12:00:00", "amount_minor": 100_100}


def test_pipeline_file_outside_the_checkout_runs_on_the_cluster(
    settings: Settings,
    tmp_path: Path,
    large_payments: Callable[[], list[dict[str, object]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "large_payments.sql"
    file.write_text(USER_FILE)

    with running(settings, "user", str(file)) as deployment:
        file.unlink()
        deployment.publish(large_and_small())
        deployment.wait_until_all_is_read()

    assert large_payments() == [LARGE]
    assert f"warning: {file}: no dead letters of payments" in capsys.readouterr().err


@pytest.mark.full
def test_local_run_commits_and_the_next_one_resumes_from_there(
    settings: Settings, tmp_path: Path, large_payments: Callable[[], list[dict[str, object]]]
) -> None:
    file = tmp_path / "large_payments.sql"
    # Exactly once: nothing can be read before a checkpoint has committed it.
    exactly_once = f"'value.format' = 'json',{EXACTLY_ONCE}"
    file.write_text(USER_FILE.replace("'value.format' = 'json'", exactly_once))
    deployment = Deployment(settings, "here", pipeline=str(file), outputs=())

    deployment.publish(large_and_small())
    with running_locally(file, deployment.settings, tmp_path / "first"):
        wait_for("the large payment", lambda: large_payments() == [LARGE])
        deployment.wait_until_all_is_read()
    deployment.publish(large_and_small())
    with running_locally(file, deployment.settings, tmp_path / "second"):
        wait_for("the second large payment", lambda: large_payments() == [LARGE, LARGE])
        deployment.wait_until_all_is_read()

    assert large_payments() == [LARGE, LARGE]
    output = (tmp_path / "first").read_text()
    assert f"warning: {file}: no dead letters of payments" in output
    assert "with checkpoints as on the cluster" in output


@contextmanager
def running_locally(file: Path, settings: Settings, output: Path) -> Iterator[None]:
    """Run the pipeline in a process of its own, with its output in the file `output`."""
    command = [*HEARS_CTRL_C, sys.executable, "-m", "ops", "sql", "run", str(file)]
    command += ["-D", "execution.checkpointing.interval=1s", "-D", "execution.checkpointing.min-pause=200ms"]
    with output.open("w") as written:
        local = subprocess.Popen(
            command, cwd=CHECKOUT, env=os.environ | settings.as_variables(), stdout=written, stderr=written
        )
    try:
        yield
    finally:
        local.send_signal(signal.SIGINT)
        local.wait(timeout=DEADLINE_SECONDS)


@pytest.mark.full
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "amount_minor\nFROM",
            "amount\nFROM",
            "{file}, line 12, column 29, in INSERT INTO large_payments: Column 'amount' not found in any table",
        ),
        (
            "SELECT card_id, payment_id, amount_minor\nFROM payments\nWHERE error IS NULL AND amount_minor > 100000",
            "SELECT card_id, 'all', COUNT(*) FROM payments GROUP BY card_id",
            "{file}, line 11, INSERT INTO large_payments: Table sink 'large_payments' doesn't support consuming update "
            "changes",
        ),
    ],
)
def test_error_in_a_pipeline_file_names_file_line_and_statement(
    old: str, new: str, words: str, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "large_payments.sql"
    file.write_text(USER_FILE.replace(old, new))

    with pytest.raises(SubmitError) as refused:
        pipelines.submit(str(file), settings)

    assert str(refused.value).startswith(f"large_payments was not submitted:\n{words.format(file=file)}")
    assert "\tat " not in str(refused.value)
