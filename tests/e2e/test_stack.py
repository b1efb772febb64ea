"""The local stack starts, mends itself, and leaves nothing; the broker alone where that is enough."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.preflight import PreflightError
from local.stack import processes
from local.stack.supervisor import Stack
from tests.e2e.conftest import environment_on_free_ports


@pytest.fixture
def second() -> Iterator[Stack]:
    """A stack beside the shared one, in a folder and on ports of its own; nothing of it runs yet."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-second-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack.from_environment(environment_on_free_ports(Path(folder, "stack")))
        try:
            yield stack
        finally:
            stack.down()


def processes_of(stack: Stack) -> list[psutil.Process]:
    """Whatever works in the stack's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(stack.setup.state):
                found.append(process)
        except psutil.Error:
            continue
    return found


def faults(stack: Stack) -> dict[str, str]:
    return {status.service.name: status.fault for status in stack.status() if status.fault}


def is_open(stack: Stack) -> bool:
    host, port = stack.setup.settings.kafka_bootstrap_servers.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_everything_is_healthy_after_up_and_a_second_up_changes_nothing(stack: Stack) -> None:
    before = [status.pid for status in stack.status()]

    stack.up()

    assert faults(stack) == {}
    assert [status.pid for status in stack.status()] == before
    assert len(before) == 5


def test_two_stacks_do_not_disturb_each_other(stack: Stack, second: Stack) -> None:
    shared_before = [status.pid for status in stack.status()]

    second.up(["kafka"])
    second.down()

    assert [status.pid for status in stack.status()] == shared_before
    assert faults(stack) == {}


def test_down_leaves_no_process_and_no_port(second: Stack) -> None:
    second.up(["kafka"])
    assert processes_of(second)

    second.down()

    assert processes_of(second) == []
    assert not is_open(second)
    assert second.status() == []


def test_a_broker_that_was_killed_is_named_and_up_brings_it_back(second: Stack) -> None:
    second.up(["kafka"])
    killed = second.kill("kafka")

    assert faults(second) == {"kafka": f"has gone: process {killed} ended without being stopped"}
    second.up(["kafka"])

    assert faults(second) == {}


def test_a_stale_pid_file_does_not_stop_up_and_nobody_else_is_harmed(second: Stack) -> None:
    pid_file = second.service("kafka").place.pid_file
    pid_file.parent.mkdir(parents=True)
    processes.record(os.getpid(), pid_file, "")
    pid_file.write_text(pid_file.read_text().replace('"start_ticks": ', '"start_ticks": 1'))

    second.up(["kafka"])

    assert faults(second) == {}


def test_a_suspended_broker_is_started_again(second: Stack) -> None:
    second.up(["kafka"])
    suspended = psutil.Process(second.status()[0].pid)
    suspended.suspend()

    second.up(["kafka"])

    assert not suspended.is_running()
    assert faults(second) == {}


def test_a_port_in_use_is_told_before_anything_starts(second: Stack) -> None:
    host, port = second.setup.settings.kafka_bootstrap_servers.split(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(PreflightError, match=f"port {port} .*in use by process {os.getpid()}"),
    ):
        second.up(["kafka"])

    assert processes_of(second) == []


def test_data_survives_down_and_up_and_can_be_deleted(second: Stack) -> None:
    second.up(["kafka"])
    cluster_id = (second.service("kafka").place.data / "meta.properties").read_text()
    second.down()

    second.up(["kafka"])
    assert (second.service("kafka").place.data / "meta.properties").read_text() == cluster_id
    second.down(delete_data=True)

    assert not second.service("kafka").place.folder.exists()
