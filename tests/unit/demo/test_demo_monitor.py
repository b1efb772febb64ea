"""The demo's monitor reports unavailable services, how long they have been so, and when they are available again."""

import time
from collections.abc import Callable

import pytest

from local.demo import monitor
from local.demo.monitor import Monitor
from ops.jobs.flink_rest import FlinkError
from tests.services.lone_service import lone_service

DEADLINE_SECONDS = 20
SMTP = {"MILLRACE_SMTP_URL": "smtp://127.0.0.1:{port}"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_unavailable_service_is_reported_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(monitor, "report", lines.append)
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.05)
    with lone_service("mailbox", SMTP) as stack, Monitor(stack.status) as monitoring:
        assert monitoring.unavailable == {}

        killed = stack.kill("mailbox")
        wait_until(lambda: monitoring.unavailable.get("mailbox", 0) > 0.2)
        stack.start("mailbox")
        wait_until(lambda: not monitoring.unavailable and len(lines) == 2)

    assert lines[0] == f"mailbox has been unavailable for 0 s: has gone: process {killed} ended without being stopped"
    assert lines[1].startswith("mailbox is available again after ")


def test_failing_reading_stops_no_other_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.01)
    read: list[str] = []

    def fails() -> None:
        read.append("fails")
        raise FlinkError("no Flink cluster answers")

    with Monitor(list, (fails, lambda: read.append("works"))) as monitoring:
        wait_until(lambda: len(read) >= 4)
        assert monitoring.unavailable == {}

    assert read[:4] == ["fails", "works"] * 2


def test_fault_of_the_monitor_itself_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.01)

    def is_wrong() -> None:
        raise LookupError("a mistake")

    def shows_it() -> bool:
        try:
            return bool(monitoring.unavailable)
        except LookupError:
            return True

    with Monitor(list, (is_wrong,)) as monitoring:
        wait_until(shows_it)
