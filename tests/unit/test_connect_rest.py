"""A worker of Kafka Connect that starts or rebalances is waited for; what it refuses for good is told at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from connectors.settings import Settings
from ops import connect_rest
from ops.connect_rest import ConnectError, ask, find
from tests.unit.json_server import json_server

REBALANCE = (409, "Request cannot be completed because a rebalance is expected")
STARTING = (503, "Worker is starting up")
EXISTS = (409, "Connector shop already exists")


@dataclass
class Worker:
    """Answers so, one after the other; the last answer again and again."""

    answers: list[tuple[int, str]]
    asked: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    def next_answer(self, request: str, _body: bytes) -> tuple[int, object]:
        self.asked.append(request)
        status, message = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return status, {"error_code": status, "message": message}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that is ready, unless the test says otherwise."""
    monkeypatch.setattr(connect_rest, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 5.0)
    found = Worker([(200, "ready")])
    with json_server(found.next_answer) as address:
        found.settings = Settings(connect_url=address)
        yield found


@pytest.mark.parametrize("busy", [REBALANCE, STARTING], ids=["rebalances", "starts"])
def test_a_worker_that_is_busy_is_asked_again(worker: Worker, busy: tuple[int, str]) -> None:
    worker.answers = [busy, busy, (200, "ready")]

    assert find(worker.settings, "connectors/shop/config")["message"] == "ready"
    assert worker.asked == ["GET /connectors/shop/config"] * 3

    worker.asked.clear()
    assert ask(worker.settings, "PUT", "connectors/shop/config", {"a": "b"})["message"] == "ready"
    assert worker.asked == ["PUT /connectors/shop/config"] * 3


def test_a_worker_that_stays_busy_is_named_with_its_reason(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 0.1)
    worker.answers = [REBALANCE]

    with pytest.raises(ConnectError, match=r"has not been able to answer GET connectors .*a rebalance is expected"):
        find(worker.settings, "connectors")


def test_what_is_refused_for_good_is_told_at_once(worker: Worker) -> None:
    worker.answers = [EXISTS]

    with pytest.raises(ConnectError, match="refuses POST /connectors: Connector shop already exists"):
        ask(worker.settings, "POST", "connectors", {"name": "shop"})

    assert worker.asked == ["POST /connectors"]
