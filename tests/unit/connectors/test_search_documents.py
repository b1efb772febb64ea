"""Actions of records on the search index."""

import json

import msgspec
import pytest

from connectors.elasticsearch.documents import (
    DELETED_VERSION,
    SEARCH_INDICES,
    Action,
    NoDocumentError,
    SearchIndex,
    action,
)
from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS
from tests.builders.events import enriched_order, fraud_alert


def test_order_is_one_document_of_its_highest_revision() -> None:
    value = msgspec.json.encode(enriched_order("o1", revision=2))

    assert action("enriched-orders", b"o1", value) == Action("orders", "o1", 2, value)


def test_each_step_of_a_case_is_a_separate_unchanging_document() -> None:
    value = msgspec.json.encode(fraud_alert("a1"))

    assert action("fraud-alerts", b"c1", value) == Action("fraud-alerts", "a1", 1, value)


def test_tombstone_deletes_the_document_of_its_key_at_any_version() -> None:
    assert action("enriched-orders", b"o1", None) == Action("orders", "o1", DELETED_VERSION, None)


@pytest.mark.parametrize(
    ("topic", "key", "reason"),
    [
        ("fraud-alerts", b"c1", r"its key \(card_id\) isn't the id of a document"),
        ("enriched-orders", None, "neither a value nor a key"),
        ("enriched-orders", b"", "neither a value nor a key"),
        ("enriched-orders", b"\xff", "its key isn't UTF-8"),
    ],
)
def test_tombstone_that_names_no_document_is_reported(topic: str, key: bytes | None, reason: str) -> None:
    with pytest.raises(NoDocumentError, match=reason):
        action(topic, key, None)


def test_action_has_the_lines_of_a_bulk_request_for_any_json_layout() -> None:
    pretty = json.dumps({"event_id": "a1", "text": "line\nbreak"}, indent=1).replace("\n", "\r\n").encode()

    index, document, end = Action("fraud-alerts", "a1", 1, pretty).lines().split(b"\n")
    delete, nothing = Action("orders", "o1", 5, None).lines().split(b"\n")

    assert json.loads(index) == {
        "index": {"_index": "fraud-alerts", "_id": "a1", "version": 1, "version_type": "external"}
    }
    assert json.loads(document) == {"event_id": "a1", "text": "line\nbreak"}
    assert b"\r" not in document
    assert json.loads(delete) == {"delete": {"_index": "orders", "_id": "o1", "version": 5, "version_type": "external"}}
    assert (end, nothing) == (b"", b"")


@pytest.mark.parametrize("index", SEARCH_INDICES, ids=lambda index: index.alias)
def test_ids_and_versions_are_fields_of_the_event(index: SearchIndex) -> None:
    fields = {field.name for field in msgspec.structs.fields(index.topic.event)}

    assert index.id_field in fields
    assert index.version_field is None or index.version_field in fields


def test_only_topics_keyed_by_the_document_id_can_delete() -> None:
    can_delete = {index.topic: index.can_delete for index in SEARCH_INDICES}

    assert can_delete == {ENRICHED_ORDERS: True, FRAUD_ALERTS: False}
