"""Requests to Kafka Connect: repeated while a worker starts or rebalances, reported at once when refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import pytest

from connectors.settings import Settings
from ops.capture import connect_rest
from ops.capture.connect_rest import ConnectError, ask, find
from tests.services.json_server import json_server

REBALANCE = (409, "Request cannot be completed because a rebalance is expected")
STARTING = (503, "Worker is starting up")
TIMED_OUT = (500, "Request timed out. The worker is currently ensuring membership in the cluster")
EXISTS = (409, "Connector shop already exists")


@dataclass
class Worker:
    """A Connect worker that gives these answers one after the other, and repeats the last one."""

    answers: list[tuple[int, str]]
    asked: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    silent: int = 0
    """Number of first requests that get no answer."""
    ended: Event = field(default_factory=Event)

    def next_answer(self, request: str, _body: bytes) -> tuple[int, object]:
        self.asked.append(request)
        if len(self.asked) <= self.silent:
            self.ended.wait()
        status, message = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return status, {"error_code": status, "message": message}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that is ready, unless the test sets another answer."""
    monkeypatch.setattr(connect_rest, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 5.0)
    found = Worker([(200, "ready")])
    with json_server(found.next_answer) as address:
        found.settings = Settings(connect_url=address)
        yield found
        found.ended.set()


@pytest.mark.parametrize("busy", [REBALANCE, STARTING, TIMED_OUT], ids=["rebalances", "starts", "timed out"])
def test_busy_worker_is_asked_again(worker: Worker, busy: tuple[int, str]) -> None:
    worker.answers = [busy, busy, (200, "ready")]

    assert find(worker.settings, "connectors/shop/config")["message"] == "ready"
    assert worker.asked == ["GET /connectors/shop/config"] * 3

    worker.asked.clear()
    assert ask(worker.settings, "PUT", "connectors/shop/config", {"a": "b"})["message"] == "ready"
    assert worker.asked == ["PUT /connectors/shop/config"] * 3


def test_worker_that_stays_busy_is_reported_with_its_reason(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 0.1)
    worker.answers = [REBALANCE]

    with pytest.raises(ConnectError, match=r"has not been able to answer GET connectors .*a rebalance is expected"):
        find(worker.settings, "connectors")


def test_busy_worker_is_asked_once_by_a_caller_that_does_not_wait(worker: Worker) -> None:
    worker.answers = [REBALANCE, (200, "ready")]

    with pytest.raises(ConnectError, match="a rebalance is expected"):
        find(worker.settings, "connectors", wait_seconds=0)

    assert worker.asked == ["GET /connectors"]


def test_permanent_refusal_is_reported_at_once(worker: Worker) -> None:
    worker.answers = [EXISTS]

    with pytest.raises(ConnectError, match="refuses POST /connectors: Connector shop already exists"):
        ask(worker.settings, "POST", "connectors", {"name": "shop"})

    assert worker.asked == ["POST /connectors"]


@pytest.mark.parametrize(
    ("method", "answer"), [("GET", (500, "Connector failed")), ("POST", TIMED_OUT)], ids=["failed", "not repeatable"]
)
def test_unrepeatable_request_is_reported_at_once(worker: Worker, method: str, answer: tuple[int, str]) -> None:
    worker.answers = [answer]

    with pytest.raises(ConnectError, match=f"refuses {method} /connectors: {answer[1]}"):
        ask(worker.settings, method, "connectors")

    assert worker.asked == [f"{method} /connectors"]


@pytest.fixture
def silent_worker(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker that doesn't answer the first two requests."""
    monkeypatch.setattr(connect_rest, "_TIMEOUTS_SECONDS", (3, 0.2))
    worker.silent = 2
    return worker


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_worker_that_does_not_answer_is_asked_again(silent_worker: Worker, method: str) -> None:
    assert ask(silent_worker.settings, method, "connectors/shop")["message"] == "ready"

    assert silent_worker.asked == [f"{method} /connectors/shop"] * 3


def test_post_without_an_answer_is_not_sent_twice(silent_worker: Worker) -> None:
    with pytest.raises(ConnectError, match="accepts connections, but doesn't answer POST connectors: look at its log"):
        ask(silent_worker.settings, "POST", "connectors")

    assert silent_worker.asked == ["POST /connectors"]


def test_worker_that_stays_silent_is_reported(silent_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 0.1)

    with pytest.raises(ConnectError, match="accepts connections, but doesn't answer GET connectors: look at its log"):
        find(silent_worker.settings, "connectors")
