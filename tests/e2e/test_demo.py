"""The demo runs to its last line, and shuts everything down however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from tests.e2e.conftest import environment_on_free_ports

END_SECONDS = 60
RUN_SECONDS = 400


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """Of a demo with a stack of its own."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-demo-") as folder:
        Path(folder).chmod(0o755)
        yield environment_on_free_ports(Path(folder, "stack"))


@pytest.fixture
def demo(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo whose stack is just coming up."""
    command = [sys.executable, "-m", "local.demo", "--seconds", "5"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout
        next(line for line in running.stdout if "healthy after" in line)
        yield running


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
