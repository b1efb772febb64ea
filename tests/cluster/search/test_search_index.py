"""The search index's job: from records to documents of a real Elasticsearch, in any order of arrival."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from elasticsearch import Elasticsearch
from py4j.protocol import Py4JJavaError
from pyflink import java_gateway

from connectors.elasticsearch.client import client as connect
from connectors.kafka import topics
from connectors.settings import Settings
from events import Event
from jobs import search_index
from local.stack.supervisor import Stack
from tests.builders.events import enriched_order, event_time, fraud_alert
from tests.cluster.bounded_job import BoundedJob
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record

ALIASES = ("orders", "fraud-alerts")
SOURCES = {"enriched_orders": topics.ENRICHED_ORDERS, "fraud_alerts": topics.FRAUD_ALERTS}


@pytest.fixture
def client(elasticsearch: Stack) -> Iterator[Elasticsearch]:
    """A client of an Elasticsearch with the two aliases and no documents."""
    with connect(elasticsearch.setup.settings, request_seconds=60) as client:
        for alias in ALIASES:
            client.indices.create(
                index=f"{alias}-of-a-test",
                aliases={alias: {}},
                # Otherwise a deleted document's version is remembered for a minute only.
                settings={"number_of_replicas": 0, "gc_deletes": "1h"},
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


def test_unindexable_value_is_an_exact_dead_letter_and_others_are_indexed(
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
    by_id = {letter.event_id: letter for letter in letters}
    assert len(letters) == len(by_id)
    assert {id: letter.payload for id, letter in by_id.items()} == {
        **{f"enriched-orders-0-{1 + number}": value for number, value in enumerate(bad_orders)},
        "fraud-alerts-0-1": b"",
    }
    refused = by_id["enriched-orders-0-3"]
    assert "document_parsing_exception" in refused.reason
    assert "total_minor" in refused.reason
    assert (refused.source_key, refused.source_headers) == (b"k", headers)
    assert (refused.event_time, refused.rejected_by) == (event_time("12:00:00"), "search_index")


def test_tombstone_deletes_a_document_for_good(indexer: BoundedJob, client: Elasticsearch) -> None:
    indexer.run(enriched_order("o1"), enriched_order("o2"))
    gone = at_noon(None, key=b"o1")

    letters = indexer.run(
        enriched_order("o1", revision=2), records={topics.ENRICHED_ORDERS: [gone], topics.FRAUD_ALERTS: [at_noon(None)]}
    )
    letters += indexer.run(enriched_order("o1", revision=3))

    assert documents(client, "orders").keys() == {"o2"}
    assert [(letter.source_topic, letter.payload) for letter in letters] == [("fraud-alerts", None)]
    assert "no value" in letters[0].reason


def test_plan_reads_and_indexes_each_topic_once_and_has_no_secret(cluster: MiniCluster, tmp_path: Path) -> None:
    settings = Settings(elasticsearch_user="indexer", elasticsearch_password="a-password", elasticsearch_api_key="")
    job = BoundedJob(cluster, tmp_path, SOURCES, lambda tables: search_index.define(tables, settings))

    plan = job.defined(tmp_path / "plan", [], {}).explain()

    execution = plan[plan.index("== Optimized Execution Plan ==") :]
    assert [
        execution.count(f"TableSourceScan(table=[[default_catalog, default_database, {name}") for name in SOURCES
    ] == [1, 1]
    assert execution.count("TableSourceScan") == execution.count("index_documents(") == len(SOURCES)
    assert "a-password" not in plan


def test_missing_alias_fails_the_job_with_a_remedy_and_is_not_created(
    cluster: MiniCluster, elasticsearch: Stack, tmp_path: Path
) -> None:
    settings = elasticsearch.setup.settings
    job = BoundedJob(cluster, tmp_path, SOURCES, lambda tables: search_index.define(tables, settings))

    with pytest.raises(Py4JJavaError) as failure:
        job.run(enriched_order())

    stack_trace = java_gateway.get_gateway().jvm.org.apache.flink.util.ExceptionUtils
    assert "run `python -m ops search apply`" in stack_trace.stringifyException(failure.value.java_exception)
    with connect(settings) as client:
        assert not client.indices.exists(index="orders")
