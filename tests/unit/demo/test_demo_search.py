"""The demo's check of the search index: it fails when a document is missing, too much or another."""

import json

import msgspec
import pytest
from msgspec.structs import replace

from events import Event
from local.demo.checks.search import checksum, findings
from local.oracles.search import Documents
from tests.builders.events import enriched_order, fraud_alert

FIRST = enriched_order("o1", complete=False, missing=("product:p1",))
LAST = replace(FIRST, event_id="o1-2", revision=2, complete=True, missing=())
OTHER = enriched_order("o2")
ALERT = fraud_alert("case-1-1")


def indexed(event: Event) -> object:
    """Return the event as Elasticsearch returns its document."""
    return json.loads(msgspec.json.encode(event))


ORDERS = {"o1": indexed(LAST), "o2": indexed(OTHER)}
ALERTS = {"case-1-1": indexed(ALERT)}


def broken(orders: Documents = ORDERS, alerts: Documents = ALERTS) -> dict[str, str]:
    found = findings([FIRST, OTHER, LAST], [ALERT], orders, alerts)
    return {finding.claim.split()[0]: finding.found for finding in found if not finding.holds}


def test_all_checks_hold_if_orders_in_last_revision_and_alerts_exist() -> None:
    assert broken() == {}


@pytest.mark.parametrize(
    ("orders", "wrong"),
    [
        ({"o1": ORDERS["o1"]}, "o2"),
        (ORDERS | {"o3": ORDERS["o2"]}, "o3"),
        (ORDERS | {"o1": indexed(FIRST)}, "o1"),
    ],
    ids=["missing", "too much", "an older revision"],
)
def test_document_that_is_not_the_last_revision_is_found(orders: Documents, wrong: str) -> None:
    assert broken(orders)["orders,"].endswith(f"; 1 wrong, such as {wrong}")


def test_alert_missing_in_the_index_is_found() -> None:
    assert broken(alerts={})["alerts"].startswith("1 = 0, ")


def test_checksum_depends_on_the_documents_and_not_on_their_order() -> None:
    assert checksum(dict(reversed(ORDERS.items()))) == checksum(ORDERS)
    assert checksum(ORDERS | {"o2": ORDERS["o1"]}) != checksum(ORDERS)
