"""The command serves the page whether or not a service answers, and ends when it is asked to."""

import signal
import socket
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from connectors.settings import Settings
from ops.__main__ import main
from ops.health.check import Level, Reading
from ops.page.watching import CHECKS_SHARE, Watcher, pause_after
from tests.builders.health import measured
from tests.e2e.deployment import wait_for
from tests.services.free_ports import free_port
from tests.services.service_process import NO_SERVICE_ANSWERS, running

END_SECONDS = 120


def test_command_serves_while_no_service_answers_says_so_and_ends_on_sigterm(tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "output"
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "ops", "page", "--address", f"127.0.0.1:{port}", "--every", "1"]

    with running(command, NO_SERVICE_ANSWERS, output) as process:
        wait_for("the command to serve", lambda: f"look at {url}" in output.read_text(), END_SECONDS)
        wait_for("the first answers", lambda: "service-silent" in requests.get(url, timeout=20).text, END_SECONDS)
        text = requests.get(url, timeout=20).text
        with requests.get(f"{url}events", stream=True, timeout=20):  # a reader doesn't hold up the end
            process.send_signal(signal.SIGTERM)
            status = process.wait(END_SECONDS)

    assert "no answer since" in text
    assert "no Kafka broker answers at 127.0.0.1:9" in text
    assert "no Flink cluster answers at http://127.0.0.1:9" in text
    assert status == 0
    assert output.read_text() == f"look at {url}; Ctrl-C ends it\n"


def test_address_in_use_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = CliRunner().invoke(main, ["page", "--address", address])

    assert done.exit_code == 1
    assert done.output == (
        f"Error: {address} is in use, perhaps by another page: choose another address with --address HOST:PORT\n"
    )


def test_address_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(main, ["page", "--address", "9465"])

    assert done.exit_code == 2
    assert "write HOST:PORT, such as 127.0.0.1:9465" in " ".join(done.output.split())


def test_pause_between_evaluations_follows_from_what_they_cost() -> None:
    assert pause_after(cost=0.4, took=2, every=5) == pytest.approx(0.4 / CHECKS_SHARE - 2)
    assert pause_after(cost=0.01, took=2, every=5) == 5


def test_watcher_knows_results_after_an_evaluation_and_no_rates_without_a_broker() -> None:
    settings = Settings(
        kafka_bootstrap_servers="127.0.0.1:9",
        flink_rest_url="http://127.0.0.1:9",
        schema_registry_url="http://127.0.0.1:9",
    )
    watcher = Watcher(settings, [measured("lag", Reading("warehouse", 30))], every=1)

    watcher.evaluate()
    watcher.look_at_topics()
    found = watcher.snapshot()

    warehouse = next(each for each in found.boxes if each.name == "warehouse")
    assert warehouse.level is Level.FAIL
    assert found.evaluated_at is not None
    assert any("no Kafka broker answers" in each.reason for each in found.silences)
    assert any("records a second, and alerts" in each.subjects for each in found.silences)
