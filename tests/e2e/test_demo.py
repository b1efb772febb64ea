"""The demo runs to its last line, and shuts everything down however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from tests.e2e.conftest import environment_on_free_ports
from tests.services.lone_elasticsearch import kill_node

END_SECONDS = 60
AT_ONCE_SECONDS = 15
PAYMENT_SERVICE = "local.simulator.payment_service"
RUN_SECONDS = 400
KILLS: Mapping[str, Callable[[Stack], object]] = {
    "elasticsearch": kill_node,
    "connect": lambda stack: stack.kill("connect"),
    "postgres": lambda stack: stack.kill("postgres"),
}
"""By service. Connect before PostgreSQL, without which its connector fails."""


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """Of a demo with a stack of its own."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-demo-") as folder:
        Path(folder).chmod(0o755)
        yield environment_on_free_ports(Path(folder, "stack"))


@pytest.fixture
def demo(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo whose stack is just coming up."""
    with running_for(5, environment) as running:
        next_line(running, "healthy after")
        yield running


@contextmanager
def running_for(seconds: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo in which payments flow for so long."""
    command = [sys.executable, "-m", "local.demo", "--seconds", str(seconds)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        yield running


def next_line(demo: subprocess.Popen[str], text: str) -> str:
    """The next line with that in it."""
    assert demo.stdout
    return next(line for line in demo.stdout if text in line)


def payment_service(demo: subprocess.Popen[str]) -> psutil.Process:
    """The process of the demo's payment service."""
    alive = [each for each in psutil.Process(demo.pid).children() if each.status() != psutil.STATUS_ZOMBIE]
    (found,) = [each for each in alive if PAYMENT_SERVICE in each.cmdline()]
    return found


@pytest.fixture
def stack(environment: Mapping[str, str]) -> Iterator[Stack]:
    """The demo's stack; whatever is left of it is stopped after the test."""
    state = environment["MILLRACE_STATE"]
    found = Stack.from_environment({**environment, "MILLRACE_STATE": f"{state}-demo"})
    yield found
    found.down(delete_data=True)


def test_demo_proves_every_claim_and_shuts_everything_down(stack: Stack, demo: subprocess.Popen[str]) -> None:
    output, _ = demo.communicate(timeout=RUN_SECONDS)

    assert output.splitlines()[-1] == "demo: ok", output
    assert demo.returncode == 0
    assert stack.status() == []


@pytest.mark.full
def test_demo_shows_what_is_away_goes_on_and_fails_at_once_when_a_simulated_service_dies(
    environment: Mapping[str, str], stack: Stack
) -> None:
    away = []
    with running_for(240, environment) as demo:
        next_line(demo, "payment_service: started")
        for name, kill in KILLS.items():
            kill(stack)
            away.append(next_line(demo, f"{name} has been unavailable for"))
            stack.start(name)
            next_line(demo, f"{name} is available again after")
        payment_service(demo).kill()
        killed = time.monotonic()
        next_line(demo, "shutting down")
        noticed_after = time.monotonic() - killed
        rest, _ = demo.communicate(timeout=END_SECONDS)

    assert all("has gone" in line for line in away)
    assert rest.splitlines()[-1] == "demo: FAILED: payment_service was ended by signal 9: it said nothing"
    assert demo.returncode == 1
    assert noticed_after < AT_ONCE_SECONDS


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.full),
        pytest.param(signal.SIGHUP, marks=pytest.mark.full),
    ],
    ids=lambda number: number.name,
)
def test_a_demo_that_is_interrupted_shuts_everything_down_also_when_it_is_told_twice(
    stack: Stack, demo: subprocess.Popen[str], number: signal.Signals
) -> None:
    os.killpg(demo.pid, number)
    assert demo.stdout
    next(line for line in demo.stdout if line == "shutting down\n")
    os.killpg(demo.pid, number)

    rest, _ = demo.communicate(timeout=END_SECONDS)

    assert rest.splitlines()[-1] == "demo: FAILED: interrupted"
    assert demo.returncode == 130
    assert stack.status() == []


@pytest.mark.full
def test_a_demo_whose_output_nobody_reads_any_more_shuts_everything_down(
    stack: Stack, demo: subprocess.Popen[str]
) -> None:
    assert demo.stdout
    demo.stdout.close()

    demo.wait(END_SECONDS)

    assert demo.returncode == 1
    assert stack.status() == []
