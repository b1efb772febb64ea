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
    """As Elasticsearch gives it back."""
    return json.loads(msgspec.json.encode(event))


ORDERS = {"o1": indexed(LAST), "o2": indexed(OTHER)}
ALERTS = {"case-1-1": indexed(ALERT)}


def broken(orders: Documents = ORDERS, alerts: Documents = ALERTS) -> dict[str, str]:
    found = findings([FIRST, OTHER, LAST], [ALERT], orders, alerts)
    return {finding.claim.split()[0]: finding.found for finding in found if not finding.holds}


def test_all_checks_hold_when_each_order_is_there_in_its_last_revision_and_each_alert() -> None:
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
def test_another_document_than_the_last_revision_is_found(orders: Documents, wrong: str) -> None:
    assert broken(orders)["orders,"].endswith(f"; 1 wrong, such as {wrong}")


def test_an_alert_that_can_not_be_found_is_found() -> None:
    assert broken(alerts={})["alerts"].startswith("1 = 0, ")


def test_the_checksum_is_that_of_the_documents_in_whatever_order_and_of_no_others() -> None:
    assert checksum(dict(reversed(ORDERS.items()))) == checksum(ORDERS)
    assert checksum(ORDERS | {"o2": ORDERS["o1"]}) != checksum(ORDERS)
