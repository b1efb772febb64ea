"""Messages of `ops` about an unavailable service: its name, its address and the remedy, at once."""

import re
import socket
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from connectors.kafka import client
from ops.__main__ import main

WITHOUT_KAFKA = [
    "topics list",
    "topics apply --yes",
    "topics keys payments",
    "rulesets list",
    "rulesets show",
    "rulesets publish udfs/fraud/rulesets/default.toml",
    "rulesets promote new_device",
    "rulesets rollback 1",
    "cdc apply",
    "dead-letters list",
    "dead-letters count",
    "dead-letters show payments-0-1",
    "dead-letters export letters.jsonl",
    "dead-letters replay --yes",
]
SERVICES = {
    "Kafka broker": ("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "{}", WITHOUT_KAFKA),
    "schema registry": ("MILLRACE_SCHEMA_REGISTRY_URL", "http://{}/apis/ccompat/v7", ["schemas register"]),
    "Flink cluster": (
        "MILLRACE_FLINK_REST_URL",
        "http://{}",
        ["submit fraud_detection", "jobs list", "jobs cancel a", "jobs savepoint a"],
    ),
    "PostgreSQL": ("MILLRACE_WAREHOUSE_URL", "postgresql://{}/warehouse", ["warehouse status", "warehouse migrate"]),
    "Elasticsearch": (
        "MILLRACE_ELASTICSEARCH_URL",
        "http://{}",
        ["search apply --yes", "search status", "search rebuild orders --yes", "search find"],
    ),
}
"""Variable and its form by what a message calls the service, and the commands that need it first."""
CASES = [(service, command) for service, (_, _, commands) in SERVICES.items() for command in commands]


@pytest.fixture
def unused_address() -> Iterator[str]:
    """An address on which no program listens during the test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize(("service", "command"), CASES)
def test_command_without_its_service_names_it_and_the_remedy(
    service: str, command: str, unused_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, form, _ = SERVICES[service]
    monkeypatch.setenv(variable, form.format(unused_address))
    monkeypatch.setattr(client, "CONNECT_MS", 50)
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.0)
    began = time.monotonic()

    result = CliRunner().invoke(main, command.split())

    message = result.output.splitlines()[0]
    assert result.exit_code == 1
    assert re.match(
        rf"Error: (no|the) {service} .*{unused_address}.*: start it \(`make up`\), or set {variable} to", message
    )
    assert "Traceback" not in result.output
    assert time.monotonic() - began < 10


def test_command_that_waits_for_a_broker_reports_it(unused_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", unused_address)
    monkeypatch.setattr(client, "CONNECT_MS", 50)
    monkeypatch.setattr(client, "CONNECT_SECONDS", 1.5)

    result = CliRunner().invoke(main, ["topics", "list"])

    *reports, error = result.output.splitlines()
    assert reports
    for report in reports:
        assert re.fullmatch(
            rf"the Kafka broker at {unused_address} has been unavailable for \d s; trying again", report
        )
    assert error.startswith(
        f"Error: no Kafka broker answers at {unused_address}: start it (`make up`), or set MILLRACE_"
    )
    assert error.endswith("to where it is; waited for it for 2 s")
