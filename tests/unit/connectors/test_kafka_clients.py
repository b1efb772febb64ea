"""Every Kafka client in Python survives an outage of the broker, and reconnects within seconds."""

import ast
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from connectors.kafka.client import poll
from local.settings import CHECKOUT

CLIENTS = {"KafkaConsumer", "KafkaProducer", "KafkaAdminClient"}
FOLDERS = ("connectors", "jobs", "local", "notifier", "ops", "udfs")


def made_without_a_limit(file: Path) -> list[str]:
    """Return the places of a file where a client has neither the shared options nor a reconnect limit of its own."""
    tree = ast.parse(file.read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    clients = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in CLIENTS]
    return [
        f"{file.relative_to(CHECKOUT)}:{client.lineno}"
        for client in clients
        if not any(keyword.arg in (None, "reconnect_backoff_max_ms") for keyword in client.keywords)
    ]


def test_every_client_retries_within_half_a_minute() -> None:
    files = [file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*.py")]

    assert [place for file in files for place in made_without_a_limit(file)] == []


class Consumer:
    """A consumer that raises what kafka-python's sometimes raises during an outage, at unpredictable times."""

    def __init__(self, fault: KafkaError | None) -> None:
        self.fault = fault

    def poll(self, timeout_ms: int, max_records: int | None) -> dict[TopicPartition, list[int]]:
        assert (timeout_ms, max_records) == (1, None)
        if self.fault:
            raise self.fault
        return {TopicPartition("orders", 0): [1]}


def test_poll_during_an_outage_is_empty_whatever_kafka_python_raises() -> None:
    consumer = Consumer(KafkaConnectionError("111 ECONNREFUSED"))

    assert poll(consumer, 1) == {}
    consumer.fault = None
    assert poll(consumer, 1) == {TopicPartition("orders", 0): [1]}


def test_fault_that_waiting_does_not_fix_is_an_error() -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        poll(Consumer(TopicAuthorizationFailedError()), 1)


def polls_itself(file: Path) -> list[str]:
    """Return the places of a file where a consumer is polled."""
    calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [
        f"{file.relative_to(CHECKOUT)}:{call.lineno}"
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "poll"
        and any(keyword.arg == "timeout_ms" for keyword in call.keywords)
    ]


def test_only_the_shared_function_polls_a_consumer() -> None:
    files = [file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*.py")]

    assert [file.relative_to(CHECKOUT) for file in files if polls_itself(file)] == [Path("connectors/kafka/client.py")]
