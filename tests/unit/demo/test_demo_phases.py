"""The demo waits at its end for unavailable services, and its view continues."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import cast

import psycopg
import pytest
from kafka.errors import KafkaTimeoutError, NodeNotReadyError

from connectors.elasticsearch.client import ElasticsearchError
from connectors.postgres.client import DatabaseUnavailableError
from local.demo import phases
from local.demo.phases import Screen, _are_done, _wait
from local.simulator.shop.database import ShopError
from ops.jobs.cluster_jobs import JobError
from ops.jobs.flink_rest import FlinkError

UNAVAILABLE = [
    DatabaseUnavailableError("no PostgreSQL answers"),
    ElasticsearchError("no node answers"),
    FlinkError("no Flink cluster answers"),
    JobError("the savepoint was not complete"),
    KafkaTimeoutError("no offsets"),
    NodeNotReadyError("no broker answers"),
    ShopError("the shop's database is unavailable"),
]


class FakeScreen:
    """Counts its updates; a second passes with each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, unavailable_seconds: float = 0.0) -> None:
        self.shown = 0
        self._unavailable_seconds = unavailable_seconds
        monkeypatch.setattr(phases.time, "monotonic", lambda: float(self.shown))

    @property
    def is_anything_unavailable(self) -> bool:
        return self.shown < self._unavailable_seconds

    def show(self) -> None:
        self.shown += 1


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(phases, "report", lines.append)
    return lines


def wait(screen: FakeScreen, condition: Callable[[], bool]) -> None:
    _wait(cast(Screen, screen), "all to arrive", condition)


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=lambda fault: type(fault).__name__)
def test_view_continues_while_the_demo_waits_for_a_service(
    monkeypatch: pytest.MonkeyPatch, lines: list[str], fault: Exception
) -> None:
    screen = FakeScreen(monkeypatch, unavailable_seconds=200)

    def is_back() -> bool:
        if screen.shown < 200:
            raise fault
        return True

    wait(screen, is_back)

    assert screen.shown == 200
    assert lines == ["waiting for all to arrive"]


def test_condition_that_never_holds_is_given_up_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    screen = FakeScreen(monkeypatch)

    wait(screen, lambda: False)

    assert lines[-1] == "gave up waiting for all to arrive after 91 s: it is not so"


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=lambda fault: type(fault).__name__)
def test_wait_for_an_outage_is_given_up_at_its_limit(
    monkeypatch: pytest.MonkeyPatch, lines: list[str], fault: Exception
) -> None:
    screen = FakeScreen(monkeypatch, unavailable_seconds=10_000)

    def is_unavailable() -> bool:
        raise fault

    wait(screen, is_unavailable)

    assert lines[-1] == f"gave up waiting for all to arrive after 601 s: {fault}"


def test_mistake_of_the_demo_itself_is_raised_at_once(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    def is_wrong() -> bool:
        raise psycopg.ProgrammingError("no such column")

    with pytest.raises(psycopg.ProgrammingError):
        wait(FakeScreen(monkeypatch), is_wrong)
    assert lines == []


def test_jobs_are_stopped_when_the_last_one_has_ended() -> None:
    first, second = Future[None](), Future[None]()

    first.set_result(None)
    assert not _are_done([first, second])
    second.set_result(None)
    assert _are_done([first, second])


def test_job_that_could_not_be_stopped_is_named() -> None:
    stop = Future[None]()
    stop.set_exception(JobError("job 1 is FAILED"))

    with pytest.raises(JobError, match="job 1 is FAILED"):
        _are_done([stop])
