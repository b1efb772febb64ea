"""Options of every Kafka client in Python: the brokers, and how soon one that was away is used again."""

from typing import Any

RECONNECT_MS = 1_000
"""Longest wait between two attempts to reach a broker, as in Kafka's own clients. kafka-python's default of 30 s made
clients need up to 36 s after the broker was back."""


def client_options(bootstrap_servers: str) -> dict[str, Any]:
    """Options for a consumer, a producer or an admin client.

    Args:
        bootstrap_servers: addresses, separated by commas.
    """
    return {"bootstrap_servers": bootstrap_servers.split(","), "reconnect_backoff_max_ms": RECONNECT_MS}
