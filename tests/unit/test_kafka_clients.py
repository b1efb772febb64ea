"""Every Kafka client in Python finds a broker again within seconds, since it takes the options that say so."""

import ast
from pathlib import Path

from local.settings import CHECKOUT

CLIENTS = {"KafkaConsumer", "KafkaProducer", "KafkaAdminClient"}
FOLDERS = ("connectors", "jobs", "local", "ops", "udfs")


def made_without_a_limit(file: Path) -> list[str]:
    """Places of a file where a client is made with neither shared options nor a reconnect limit of its own."""
    tree = ast.parse(file.read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    clients = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in CLIENTS]
    return [
        f"{file.relative_to(CHECKOUT)}:{client.lineno}"
        for client in clients
        if not any(keyword.arg in (None, "reconnect_backoff_max_ms") for keyword in client.keywords)
    ]


def test_no_client_waits_half_a_minute_before_it_tries_again() -> None:
    files = [file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*.py")]

    assert [place for file in files for place in made_without_a_limit(file)] == []
