"""A service waits at its start for an unavailable server, with a line each second, up to a limit."""

import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors.outage import await_server
from tests.e2e.deployment import wait_for
from tests.services.free_ports import free_port
from tests.services.service_process import running

END_SECONDS = 60


def connecting_to(port: int) -> Callable[[], None]:
    return lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_server_available_again_is_used_and_its_outage_reported() -> None:
    port, reports = free_port(), list[str]()
    with ExitStack() as at_the_end:

        def report(text: str) -> None:
            reports.append(text)
            if len(reports) == 2:
                at_the_end.enter_context(socket.create_server(("127.0.0.1", port)))

        await_server("it", connecting_to(port), ConnectionError, report)

    assert reports[0] == "it has been unavailable for 0 s; trying again"
    assert re.fullmatch(r"it has been unavailable for [1-9]\d* s; trying again", reports[1])
    assert re.match(r"it is back after [1-9]\d*\.", reports[-1])


def test_available_server_is_not_reported() -> None:
    reports = list[str]()
    with socket.create_server(("127.0.0.1", 0)) as server:
        await_server("it", connecting_to(server.getsockname()[1]), ConnectionError, reports.append)

    assert reports == []


def test_server_that_stays_unavailable_is_an_error_at_the_limit() -> None:
    with pytest.raises(ConnectionError):
        await_server("it", connecting_to(free_port()), ConnectionError, lambda _: None, limit_seconds=0.5)


def test_services_show_what_they_wait_for_and_can_be_stopped(tmp_path: Path) -> None:
    kafka = "the Kafka broker at 127.0.0.1:9 has been unavailable for", "no Kafka broker answers at 127.0.0.1:9"
    database = "the database has been unavailable for", "no PostgreSQL answers at postgresql://127.0.0.1:9/shop"
    expected = {
        ("local.simulator.order_service",): kafka,
        ("local.simulator.payment_service", "--orders"): kafka,
        ("notifier",): kafka,
        ("local.simulator.shop",): database,
    }
    variables = {
        "MILLRACE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "MILLRACE_SHOP_DATABASE_URL": "postgresql://127.0.0.1:9/shop",
        "MILLRACE_STATE": str(tmp_path),
    }
    outputs = {service: tmp_path / service[0] for service in expected}

    with ExitStack() as at_the_end:
        processes = [
            at_the_end.enter_context(running([sys.executable, "-m", name, *options], variables, to))
            for (name, *options), to in outputs.items()
        ]
        wait_for(
            "all to show the outage",
            lambda: all(report in outputs[service].read_text() for service, (report, _) in expected.items()),
            END_SECONDS,
        )
        for process in processes:
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(END_SECONDS) for process in processes]

    assert statuses == [1, 1, 1, 1]
    for service, (_, reason) in expected.items():
        assert f"Error: {reason}" in outputs[service].read_text()
