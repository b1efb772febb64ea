"""Transactions that are open at one moment: whoever reads committed records waits for their ends."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from connectors.settings import Settings
from ops.health.answers.brokers import quick_client

OPEN = ("Ongoing", "PrepareCommit", "PrepareAbort")
"""Kafka's states of a transaction that readers wait for."""


@dataclass(frozen=True)
class Transaction:
    """A transaction that is open."""

    id: str
    since: int
    """Time of its first record, by the broker's clock, in UTC milliseconds."""
    partitions: frozenset[TopicPartition]

    def numbers(self, topic: str) -> Sequence[int]:
        """Return the partitions of a topic in which it has records."""
        return sorted(each.partition for each in self.partitions if each.topic == topic)


def open_transactions(settings: Settings) -> list[Transaction]:
    """Ask the brokers for the transactions that are open.

    Raises:
        ConnectionError: no broker answers.
        KafkaError: a broker refuses, or doesn't answer in time.
    """
    with closing(quick_client(settings, KafkaAdminClient)) as admin:
        listed = admin.list_transactions(state_filters=OPEN)
        found = admin.describe_transactions(
            sorted({each.transactional_id for some in listed.values() for each in some})
        )
    return [
        Transaction(id_, each.transaction_start_time_ms, frozenset(each.topic_partitions))
        for id_, each in sorted(found.items())
        if each.state in OPEN and each.transaction_start_time_ms >= 0
    ]
