"""Checks the search index against orders and alerts, by id and checksum."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from events import EnrichedOrder, FraudAlert
from local.demo.checks.finding import Finding, some
from local.oracles.search import Documents, of_alerts, of_orders


def findings(
    enriched: Iterable[EnrichedOrder], alerts: Iterable[FraudAlert], orders: Documents, fraud_alerts: Documents
) -> Iterator[Finding]:
    """Yield the checks of the search index.

    Args:
        enriched: all that was read from `enriched-orders`; of an order the last revision counts.
        alerts: all that was read from `fraud-alerts`.
        orders: documents of the alias `orders`.
        fraud_alerts: documents of the alias `fraud-alerts`.
    """
    for claim, wanted, found in (
        ("orders, each in its last revision = documents in the index", of_orders(enriched), orders),
        ("alerts = documents in the index", of_alerts(alerts), fraud_alerts),
    ):
        wrong = [each for each in wanted.keys() | found.keys() if wanted.get(each) != found.get(each)]
        sums = f"checksum {checksum(wanted)} = {checksum(found)}"
        yield Finding(claim, f"{len(wanted):,} = {len(found):,}, {sums}{some(wrong)}", not wrong)


def checksum(documents: Documents) -> str:
    """Return a checksum that is equal for the same documents under the same ids, in any order."""
    return blake2b(msgspec.json.encode(dict(documents), order="deterministic"), digest_size=8).hexdigest()
