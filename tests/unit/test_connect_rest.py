"""A worker of Kafka Connect that starts or rebalances is waited for; what it refuses for good is told at once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from connectors.settings import Settings
from ops import connect_rest
from ops.connect_rest import ConnectError, ask, find

REBALANCE = (409, "Request cannot be completed because a rebalance is expected")
STARTING = (503, "Worker is starting up")
EXISTS = (409, "Connector shop already exists")


@dataclass
class Worker:
    """Answers so, one after the other; the last answer again and again."""

    answers: list[tuple[int, str]]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def settings(self) -> Settings:
        return Settings(connect_url=f"http://127.0.0.1:{self.port}")

    def next_answer(self, request: str) -> tuple[int, str]:
        self.asked.append(request)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that is ready, unless the test says otherwise."""
    found = Worker([(200, "ready")])

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, message = found.next_answer(f"{self.command} {self.path}")
            content = json.dumps({"error_code": status, "message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Nothing."""

    monkeypatch.setattr(connect_rest, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(connect_rest, "WAIT_SECONDS", 5.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
