"""Common parts of all measurements: a separate stack, topics, rules, and a topic full of payments."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from unittest import mock

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from connectors.kafka.topics import FOREVER_MS, FRAUD_ALERTS, FRAUD_RULESETS, PAYMENTS
from connectors.settings import Settings
from events import FraudAlert, Payment, Ruleset
from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from ops.topics import apply as topics
from tests.bench.contenders.peer_logic import default_ruleset
from tests.bench.payments.even import Record
from tests.bench.payments.simulated import CLOSING_AFTER_MS, expected_alerts, payments, records
from tests.e2e.conftest import environment_on_free_ports

SERVICES = ("kafka", "jobmanager", "taskmanager-1")


@dataclass(frozen=True)
class Topic:
    """The payments in Kafka, and what must come of them."""

    payments: int
    alerts: Mapping[str, FraudAlert]


@contextmanager
def bench_stack(task_managers: int = 1) -> Iterator[Stack]:
    """Kafka and Flink on free ports, with all topics and the default rules; it leaves nothing behind.

    Args:
        task_managers: how many are ready to be started; the first one is.
    """
    folder = Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    folder.chmod(0o755)
    with mock.patch.dict(os.environ, environment_on_free_ports(folder / "stack") | {"MILLRACE_JVM_COMPILER": "full"}):
        stack = Stack.from_environment(task_managers=task_managers)
        try:
            stack.up(SERVICES)
            prepare(stack.setup.settings, default_ruleset())
            yield stack
        finally:
            stack.down()
            shutil.rmtree(folder)


def prepare(settings: Settings, *rulesets: Ruleset) -> None:
    """Topics, and the rules. That of the alerts says when it got them; that of the payments keeps any age."""
    topics.apply(settings)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    configs = {
        FRAUD_ALERTS.name: {"message.timestamp.type": "LogAppendTime"},
        PAYMENTS.name: {"retention.ms": str(FOREVER_MS)},
    }
    admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configs=each) for name, each in configs.items()]
    )
    admin.close()
    publish(settings, *rulesets)


def publish(settings: Settings, *rulesets: Ruleset) -> None:
    """Put rulesets into their topic as they are: those of a measurement are in force from the beginning."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    for each in rulesets:
        producer.send(FRAUD_RULESETS.name, msgspec.json.encode(each), str(each.version).encode()).get(10)
    producer.close()


def fill(settings: Settings, python: Path, number: int, cards: int) -> Topic:
    """Write simulated payments, up to now, and find out what must come of them.

    Args:
        python: interpreter that has the packages of the peers.

    Raises:
        subprocess.CalledProcessError: they didn't get to Kafka; it has been said why.
    """
    began = time.monotonic()
    command = [str(python), "-m", "tests.bench.payments.fill", settings.kafka_bootstrap_servers]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE) as sender:
        assert sender.stdin
        closed, made = tee(payments(number, cards, time.time_ns() // 1_000_000 - CLOSING_AFTER_MS))
        lines = map(_line, records(closed))

        def sent() -> Iterator[Payment]:
            for payment in made:
                sender.stdin.write(next(lines))
                yield payment
            sender.stdin.writelines(lines)

        topic = Topic(number, expected_alerts(sent()))
    if sender.returncode:
        raise subprocess.CalledProcessError(sender.returncode, command)
    print(
        f"{number:,} payments of {cards:,} cards are in Kafka after {time.monotonic() - began:.0f} s, "
        f"and {len(topic.alerts):,} alerts are expected",
        flush=True,
    )
    return topic


def _line(record: Record) -> bytes:
    return b"%d\t%s\t%d\t%s\n" % (record.partition, record.key, record.time, record.value)


def empty(settings: Settings, *names: str) -> None:
    """Delete all records of topics, for the next measurement with others."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    partitions = [TopicPartition(name, each) for name in names for each in consumer.partitions_for_topic(name) or ()]
    ends = consumer.end_offsets(partitions)
    consumer.close()
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records(ends)
    admin.close()
