"""Transactions that are open have the time since which readers wait for them, by topic."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from connectors.settings import Settings
from ops.health.answers import transactions
from ops.health.answers.transactions import Transaction, open_transactions
from ops.health.check import Reading
from ops.health.measures import sources
from tests.builders.health import NOW_MS, scope

E0, E2, OTHER = TopicPartition("enriched-orders", 0), TopicPartition("enriched-orders", 2), TopicPartition("other", 0)


class Admin:
    """An admin client of two brokers, each of which knows some transactions."""

    def list_transactions(self, state_filters: Iterable[str]) -> dict[int, list[Any]]:
        assert set(state_filters) == {"Ongoing", "PrepareCommit", "PrepareAbort"}
        return {1: [SimpleNamespace(transactional_id="b")], 2: [SimpleNamespace(transactional_id=x) for x in "ac"]}

    def describe_transactions(self, ids: list[str]) -> dict[str, Any]:
        assert ids == ["a", "b", "c"]
        described = {"a": ("Ongoing", 5), "b": ("CompleteCommit", 6), "c": ("PrepareCommit", -1)}
        return {
            id_: SimpleNamespace(state=state, transaction_start_time_ms=since, topic_partitions={E0})
            for id_, (state, since) in described.items()
        }

    def close(self) -> None:
        """Close nothing."""


def test_transactions_that_have_ended_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(_: Settings, make: type) -> Admin:
        assert make is KafkaAdminClient
        return Admin()

    monkeypatch.setattr(transactions, "quick_client", client)

    assert open_transactions(Settings()) == [Transaction("a", 5, frozenset({E0}))]


def test_oldest_transaction_of_a_topic_counts() -> None:
    found = [
        Transaction("new", NOW_MS - 3_000, frozenset({E0})),
        Transaction("old", NOW_MS - 90_000, frozenset({E2, E0, OTHER})),
        Transaction("of no declared topic", NOW_MS - 999_000, frozenset({OTHER})),
    ]

    assert list(sources.open_transactions(scope(transactions=found))) == [
        Reading("enriched-orders", 90, "old is open since 2026-03-01 11:58:30 UTC, in partition 0, partition 2")
    ]


def test_without_transactions_nobody_waits() -> None:
    assert list(sources.open_transactions(scope(transactions=[]))) == []


def test_transaction_by_a_clock_that_is_ahead_is_new() -> None:
    [reading] = sources.open_transactions(scope(transactions=[Transaction("a", NOW_MS + 500, frozenset({E0}))]))

    assert reading.value == 0
