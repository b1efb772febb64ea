"""Creates the topics of the benchmark, publishes rulesets, and deletes records."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from connectors.kafka.topics import FOREVER_MS, FRAUD_ALERTS, FRAUD_RULESETS, PAYMENTS
from connectors.settings import Settings
from events import Ruleset
from ops.topics import apply as topics
from tests.bench.contenders.peer_logic import default_ruleset
from tests.bench.payments.rulesets import ruleset_of


def create(settings: Settings, *rulesets: Ruleset) -> None:
    """Create all topics and publish rulesets.

    The topic of alerts records when the broker appended each; the topic of payments keeps records of any age.
    """
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
    """Write rulesets to their topic unchanged: those of a measurement are in force from the beginning."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    for each in rulesets:
        producer.send(FRAUD_RULESETS.name, msgspec.json.encode(each), str(each.version).encode()).get(10)
    producer.close()


@contextmanager
def rules_in_force(settings: Settings, number: int) -> Iterator[Ruleset]:
    """Put a number of rules in force, and the default ones afterwards."""
    ruleset = ruleset_of(default_ruleset(), number, version=1)
    empty(settings, FRAUD_RULESETS.name)
    publish(settings, ruleset)
    try:
        yield ruleset
    finally:
        empty(settings, FRAUD_RULESETS.name)
        publish(settings, default_ruleset())


def empty(settings: Settings, *names: str) -> None:
    """Delete all records of topics, for the next measurement with others."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    partitions = [TopicPartition(name, each) for name in names for each in consumer.partitions_for_topic(name) or ()]
    ends = consumer.end_offsets(partitions)
    consumer.close()
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records(ends)
    admin.close()
