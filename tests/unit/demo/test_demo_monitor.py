"""The demo's lookout says what is away and since when, goes on without it, and says when it is back."""

import time
from collections.abc import Callable

import pytest

from local.demo import monitor
from local.demo.monitor import Lookout
from ops.jobs.flink_rest import FlinkError
from tests.services.lone_service import lone_service

DEADLINE_SECONDS = 20
SMTP = {"MILLRACE_SMTP_URL": "smtp://127.0.0.1:{port}"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_service_that_is_away_is_reported_with_its_time_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(monitor, "say", said.append)
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.05)
    with lone_service("mailbox", SMTP) as stack, Lookout(stack.status) as looking:
        assert looking.away == {}

        killed = stack.kill("mailbox")
        wait_until(lambda: looking.away.get("mailbox", 0) > 0.2)
        stack.start("mailbox")
        wait_until(lambda: not looking.away and len(said) == 2)

    assert said[0] == f"mailbox is away for 0 s: has gone: process {killed} ended without being stopped"
    assert said[1].startswith("mailbox is back after ")


def test_what_a_service_that_is_away_cannot_say_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.01)
    read: list[str] = []

    def fails() -> None:
        read.append("fails")
        raise FlinkError("no Flink cluster answers")

    with Lookout(list, (fails, lambda: read.append("works"))) as looking:
        wait_until(lambda: len(read) >= 4)
        assert looking.away == {}

    assert read[:4] == ["fails", "works"] * 2


def test_a_fault_of_the_lookout_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "SECONDS_BETWEEN_LOOKS", 0.01)

    def is_wrong() -> None:
        raise LookupError("a mistake")

    def shows_it() -> bool:
        try:
            return bool(looking.away)
        except LookupError:
            return True

    with Lookout(list, (is_wrong,)) as looking:
        wait_until(shows_it)
