"""The search index's job: from records to documents of a real Elasticsearch, whatever arrives and in whatever order."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from elasticsearch import Elasticsearch

from connectors import topics
from events import Event
from jobs import search_index
from local.stack.supervisor import Stack
from tests.builders import enriched_order, event_time, fraud_alert
from tests.cluster.bounded_job import BoundedJob
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record

ALIASES = ("orders", "fraud-alerts")
SOURCES = {"enriched_orders": topics.ENRICHED_ORDERS, "fraud_alerts": topics.FRAUD_ALERTS}


@pytest.fixture
def client(elasticsearch: Stack) -> Iterator[Elasticsearch]:
    """To Elasticsearch with the two aliases and nothing behind them."""
    with Elasticsearch(elasticsearch.setup.settings.elasticsearch_url) as client:
        for alias in ALIASES:
            client.indices.create(
                index=f"{alias}-of-a-test",
                aliases={alias: {}},
                settings={"number_of_replicas": 0},
                mappings={"dynamic": False, "properties": {"total_minor": {"type": "integer"}}},
            )
        yield client
        client.indices.delete(index=[f"{alias}-of-a-test" for alias in ALIASES])


@pytest.fixture
def indexer(cluster: MiniCluster, elasticsearch: Stack, tmp_path: Path) -> BoundedJob:
    settings = elasticsearch.setup.settings
    return BoundedJob(cluster, tmp_path, SOURCES, lambda tables: search_index.define(tables, settings))


def documents(client: Elasticsearch, alias: str) -> dict[str, Any]:
    client.indices.refresh(index=alias)
    hits = client.search(index=alias, size=10_000, version=True)["hits"]["hits"]
    return {hit["_id"]: (hit["_version"], hit["_source"]) for hit in hits}


def as_sent(event: Event) -> Any:
    return json.loads(msgspec.json.encode(event))


def encoded(event: Event, **replaced: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | replaced)


def at_noon(value: bytes | None, **more: Any) -> Record:
    return Record(value, timestamp=event_time("12:00:00"), **({"key": b"k"} | more))


def test_every_source_of_the_job_has_a_topic() -> None:
    assert set(SOURCES) == set(search_index.SOURCES)


def test_orders_and_alerts_become_documents_in_their_newest_version(indexer: BoundedJob, client: Elasticsearch) -> None:
    incomplete = enriched_order("o1", revision=1, complete=False, customer_name=None)
    complete, other = enriched_order("o1", revision=2), enriched_order("o2", customer_name='Zoë\n\u2028 "quoted"')
    opened, escalated = fraud_alert("case-1-1"), fraud_alert("case-1-2", event_type="fraud_alert.escalated")

    letters = indexer.run(complete, incomplete, other, opened, escalated, opened)

    assert letters == []
    assert documents(client, "orders") == {"o1": (2, as_sent(complete)), "o2": (1, as_sent(other))}
    assert documents(client, "fraud-alerts") == {each.event_id: (1, as_sent(each)) for each in (opened, escalated)}


def test_what_can_not_be_indexed_is_a_dead_letter_byte_for_byte_and_the_rest_is_indexed(
    indexer: BoundedJob, client: Elasticsearch
) -> None:
    no_integer = encoded(enriched_order("o2", total_minor=2**40))
    bad_orders = [b"{\xff", encoded(enriched_order(), lines=[]), no_integer]
    headers = {"trace": b"\xff"}

    letters = indexer.run(
        enriched_order("o1"),
        fraud_alert(),
        records={
            topics.ENRICHED_ORDERS: [at_noon(value, headers=headers) for value in bad_orders],
            topics.FRAUD_ALERTS: [at_noon(b"", key=None)],
        },
    )

    assert documents(client, "orders").keys() == {"o1"}
    told = {letter.event_id: letter for letter in letters}
    assert len(letters) == len(told)
    assert {id: letter.payload for id, letter in told.items()} == {
        **{f"enriched-orders-0-{1 + number}": value for number, value in enumerate(bad_orders)},
        "fraud-alerts-0-1": b"",
    }
    refused = told["enriched-orders-0-3"]
    assert "document_parsing_exception" in refused.reason
    assert "total_minor" in refused.reason
    assert (refused.source_key, refused.source_headers) == (b"k", headers)
    assert (refused.event_time, refused.rejected_by) == (event_time("12:00:00"), "search_index")
