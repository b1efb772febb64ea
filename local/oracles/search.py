"""Documents of the search index: each order in its last revision, and each alert."""

from collections.abc import Iterable, Mapping

import msgspec

from events import EnrichedOrder, Event, FraudAlert
from local.oracles.orders import last_revisions

Documents = Mapping[str, object]
"""Documents by id, as decoded JSON."""


def of_orders(enriched: Iterable[EnrichedOrder]) -> Documents:
    """Return the documents of orders, by order id.

    Args:
        enriched: all revisions, in any order.
    """
    return {order_id: _decoded(order) for order_id, order in last_revisions(enriched).items()}


def of_alerts(alerts: Iterable[FraudAlert]) -> Documents:
    """Return the documents of alerts, by id of the event."""
    return {alert.event_id: _decoded(alert) for alert in alerts}


def _decoded(event: Event) -> object:
    return msgspec.json.decode(msgspec.json.encode(event))
