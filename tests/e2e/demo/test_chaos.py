"""The chaos runner: killed services are restarted, and the checks of the demo hold nevertheless."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from local.demo.checks.checks import CheckError
from local.settings import CHECKOUT
from local.stack import processes
from tests.chaos.killer import Killer
from tests.chaos.schedule import Kill
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import DEADLINE_SECONDS
from tests.services.lone_service import lone_service

SMTP = {"MILLRACE_SMTP_URL": "smtp://127.0.0.1:{port}"}
RUN_SECONDS = 600
CORRECTED = re.compile(r"orders provisional, ([\d,]+) of them corrected")


@pytest.mark.full
def test_killed_service_is_spared_while_down_and_then_restarted() -> None:
    with lone_service("mailbox", SMTP) as stack:
        pid_file = stack.service("mailbox").place.pid_file
        before = processes.running(pid_file)
        output: SimpleQueue[str] = SimpleQueue()
        killer = Killer(stack, [Kill(0.0, "mailbox", 60.0), Kill(0.1, "mailbox", 0.0)], output.put)

        with killer.at_work():
            assert "killed mailbox, for 60.0 s" in output.get(timeout=DEADLINE_SECONDS)
            assert "mailbox is still unavailable" in output.get(timeout=DEADLINE_SECONDS)

        after = processes.running(pid_file)
        assert before and after and before.pid != after.pid
        assert killer.done == [Kill(0.0, "mailbox", 60.0)]
        assert killer.faults == []


@pytest.mark.full
def test_service_that_cannot_be_restarted_is_a_fault() -> None:
    with lone_service("mailbox", SMTP) as stack, ExitStack() as held:
        port = stack.setup.port("mailbox")
        is_held = threading.Event()

        def take_its_port(output: str) -> None:
            if "killed mailbox" in output:
                held.enter_context(socket.create_server((port.host, port.number)))
                is_held.set()

        killer = Killer(stack, [Kill(0.0, "mailbox", 0.0)], take_its_port, healthy_within_seconds=0.0)

        with killer.at_work():
            assert is_held.wait(DEADLINE_SECONDS)

        assert "mailbox was killed and could not be started again: mailbox has ended by itself" in killer.faults[0]
        assert "mailbox has gone" in killer.faults[1]


@pytest.mark.full
def test_service_that_stopped_by_itself_is_one_more_fault_and_restarted() -> None:
    with lone_service("mailbox", SMTP) as stack:
        stack.kill("mailbox")
        output: SimpleQueue[str] = SimpleQueue()
        killer = Killer(stack, [Kill(0.0, "mailbox", 0.0)], output.put)

        with pytest.raises(CheckError, match="a claim that doesn't hold"), killer.at_work():
            assert "mailbox is back after" in output.get(timeout=DEADLINE_SECONDS)
            raise CheckError("a claim that doesn't hold")

        assert killer.faults == [
            "mailbox has ended by itself before it was killed: mailbox doesn't run, so it can't be killed"
        ]
        assert killer.done == []
        assert [each.fault for each in stack.status()] == [""]


@pytest.mark.full
def test_short_run_with_kills_of_every_kind_loses_nothing() -> None:
    output = chaos("--seconds", "40", "--every", "4", "6")

    assert output[-1] == "chaos: ok"


@pytest.mark.full
def test_orders_emitted_without_capture_are_corrected_in_every_target() -> None:
    """Rely on the checks of warehouse, search index, revenue and notifications, which follow the last revision."""
    output = chaos(
        *("--services", "connect", "--seconds", "40", "--every", "8", "10", "--away", "6", "8"),
        MILLRACE_CAPTURE_WAIT_SECONDS="3",
    )

    assert output[-1] == "chaos: ok"
    (corrected,) = [int(found[1].replace(",", "")) for line in output if (found := CORRECTED.search(line))]
    assert corrected > 0


def chaos(*arguments: str, **variables: str) -> list[str]:
    """Run the chaos runner, and return the lines that it prints."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-chaos-") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos", *arguments],
            cwd=CHECKOUT,
            env=os.environ | environment_on_free_ports(Path(folder, "stack")) | variables,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    return done.stdout.splitlines()
