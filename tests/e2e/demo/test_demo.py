"""The demo runs to its last line, and shuts everything down whatever stops it."""

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
from tests.e2e.deployment import DEADLINE_SECONDS
from tests.services.lone_elasticsearch import kill_node

AT_ONCE_SECONDS = 30
PAYMENT_SERVICE = "local.simulator.payment_service"
RUN_SECONDS = 400
KILLS: Mapping[str, Callable[[Stack], object]] = {
    "elasticsearch": kill_node,
    "connect": lambda stack: stack.kill("connect"),
    "postgres": lambda stack: stack.kill("postgres"),
}
"""How each service is killed. Connect comes before PostgreSQL, without which its connector fails."""


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """Variables of a demo with a stack of its own."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-demo-") as folder:
        Path(folder).chmod(0o755)
        yield environment_on_free_ports(Path(folder, "stack"))


@pytest.fixture
def demo(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo whose stack has just begun to start."""
    with running_for(5, environment) as running:
        next_line(running, "healthy after")
        yield running


@contextmanager
def running_for(seconds: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a demo in which payments flow for `seconds`, in a world of a fifth of its usual size."""
    command = [sys.executable, "-m", "local.demo", "--seconds", str(seconds), "--rate", "40"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        yield running


def next_line(demo: subprocess.Popen[str], text: str) -> str:
    """Return the next line that contains the text."""
    assert demo.stdout
    return next(line for line in demo.stdout if text in line)


def payment_service(demo: subprocess.Popen[str]) -> psutil.Process:
    """Return the process of the demo's payment service."""
    alive = [each for each in psutil.Process(demo.pid).children() if each.status() != psutil.STATUS_ZOMBIE]
    (found,) = [each for each in alive if PAYMENT_SERVICE in each.cmdline()]
    return found


@pytest.fixture
def stack(environment: Mapping[str, str]) -> Iterator[Stack]:
    """The demo's stack; what is left of it is stopped after the test."""
    state = environment["MILLRACE_STATE"]
    found = Stack.from_environment({**environment, "MILLRACE_STATE": f"{state}-demo"})
    yield found
    found.down(delete_data=True)


def test_demo_passes_every_check_and_shuts_everything_down(stack: Stack, demo: subprocess.Popen[str]) -> None:
    output, _ = demo.communicate(timeout=RUN_SECONDS)

    assert output.splitlines()[-1] == "demo: ok", output
    assert demo.returncode == 0
    assert stack.status() == []


@pytest.mark.full
def test_demo_survives_outages_and_fails_at_once_on_a_killed_simulator(
    environment: Mapping[str, str], stack: Stack
) -> None:
    outages = []
    with running_for(240, environment) as demo:
        next_line(demo, "payment_service: started")
        for name, kill in KILLS.items():
            kill(stack)
            outages.append(next_line(demo, f"{name} has been unavailable for"))
            stack.start(name)
            next_line(demo, f"{name} is available again after")
        payment_service(demo).kill()
        killed = time.monotonic()
        next_line(demo, "shutting down")
        noticed_after = time.monotonic() - killed
        rest, _ = demo.communicate(timeout=DEADLINE_SECONDS)

    assert all("has gone" in line for line in outages)
    assert rest.splitlines()[-1] == "demo: FAILED: payment_service was ended by signal 9: it printed nothing"
    assert demo.returncode == 1
    assert noticed_after < AT_ONCE_SECONDS


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_demo_interrupted_twice_shuts_everything_down(
    stack: Stack, demo: subprocess.Popen[str], number: signal.Signals
) -> None:
    os.killpg(demo.pid, number)
    assert demo.stdout
    next(line for line in demo.stdout if line == "shutting down\n")
    os.killpg(demo.pid, number)

    rest, _ = demo.communicate(timeout=DEADLINE_SECONDS)

    assert rest.splitlines()[-1] == "demo: FAILED: interrupted"
    assert demo.returncode == 130
    assert stack.status() == []


@pytest.mark.full
def test_demo_with_a_closed_output_pipe_shuts_everything_down(stack: Stack, demo: subprocess.Popen[str]) -> None:
    assert demo.stdout
    demo.stdout.close()

    demo.wait(DEADLINE_SECONDS)

    assert demo.returncode == 1
    assert stack.status() == []
