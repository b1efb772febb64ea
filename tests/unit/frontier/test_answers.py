"""What Kafka and Flink answer becomes ends, earliest times of unread records, and watermarks of Flink 2.3."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from connectors.settings import Settings
from ops.frontier import answers
from ops.frontier.answers import Ends, UnreadRecords
from ops.frontier.arithmetic import NotYetError, UnknownError
from ops.frontier.contained import Attempt, Reading
from ops.health.answers.cluster import Checkpoints, Vertex
from tests.builders.health import NOW_MS, ago, job, live
from tests.services.json_server import json_server
from tests.unit.health.fake_consumer import Consumer

P0, P1 = TopicPartition("orders", 0), TopicPartition("orders", 1)
MINUTES = TopicPartition("revenue-per-minute", 0)


def consumer(times: dict[TopicPartition, dict[int, int]], ends: dict[TopicPartition, int]) -> Consumer:
    return Consumer({each: list(found) for each, found in times.items()}, ends, batch=2, times=times)


def test_earliest_time_is_that_of_all_unread_records_of_a_partition() -> None:
    ends, unread = {P0: 4, P1: 2}, UnreadRecords()

    unread.read(consumer({P0: {0: 10, 1: 60, 2: 50, 3: 70}, P1: {0: 90, 1: 80}}, ends), {P0: 1, P1: 2}, ends)

    assert unread.since(P0, 1, 4) == (50, 50)
    assert unread.since(P0, 3, 4) == (70, 70)
    assert unread.since(P1, 2, 2) is None


def test_partition_that_ends_in_the_mark_of_a_transaction_has_no_unread_record() -> None:
    unread = UnreadRecords()

    unread.read(consumer({P0: {0: 10}}, {P0: 3}), {P0: 1}, {P0: 3})

    assert unread.since(P0, 1, 3) is None


def test_record_of_a_minute_has_the_time_of_the_first_order_that_it_may_come_from() -> None:
    unread = UnreadRecords()

    unread.read(consumer({MINUTES: {0: 119_999}}, {MINUTES: 1}), {MINUTES: 0}, {MINUTES: 1})

    assert unread.since(MINUTES, 0, 1) == (119_999, 60_000)


def test_record_is_read_once_however_often_it_is_asked_for() -> None:
    unread, times = UnreadRecords(), {P0: {0: 10, 1: 30, 2: 20}}
    unread.read(consumer(times, {P0: 3}), {P0: 0}, {P0: 3})
    times[P0][3] = 5

    second = consumer(times, {P0: 4})
    unread.read(second, {P0: 1}, {P0: 4})

    assert second.read == [3]
    assert unread.since(P0, 1, 4) == (5, 5)


@pytest.mark.parametrize(("begin", "end"), [(0, 3), (1, 2)], ids=["reset to an earlier offset", "made anew"])
def test_partition_is_read_again_if_its_offsets_go_back(begin: int, end: int) -> None:
    unread, times = UnreadRecords(), {P0: {0: 10, 1: 30, 2: 20}}
    unread.read(consumer(times, {P0: 3}), {P0: 1}, {P0: 3})

    times = {P0: dict.fromkeys(range(end), 7)}
    unread.read(consumer(times, {P0: end}), {P0: begin}, {P0: end})

    assert unread.since(P0, begin, end) == (7, 7)


def test_offsets_that_were_read_by_the_program_meanwhile_are_skipped() -> None:
    unread, times = UnreadRecords(), {P0: {offset: 100 - offset for offset in range(9)}}
    unread.read(consumer(times, {P0: 2}), {P0: 0}, {P0: 2})

    second = consumer(times, {P0: 9})
    unread.read(second, {P0: 7}, {P0: 9})

    assert second.read == [7, 8]
    assert unread.since(P0, 7, 9) == (92, 92)


def test_too_many_unread_records_are_not_read_and_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_UNREAD", 3)
    unread, found = UnreadRecords(), consumer({P0: dict.fromkeys(range(5), 10)}, {P0: 5})

    unread.read(found, {P0: 1}, {P0: 5})

    assert found.read == []
    with pytest.raises(UnknownError, match="partition 0 has up to 4 unread records, more than are read at once"):
        unread.since(P0, 1, 5)


def test_records_that_do_not_come_in_time_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "READ_SECONDS", 0.0)
    unread = UnreadRecords()

    unread.read(consumer({P0: {0: 10}}, {P0: 1}), {P0: 0}, {P0: 1})

    with pytest.raises(UnknownError, match="partition 0 has"):
        unread.since(P0, 0, 1)


def test_ends_have_open_transactions_and_are_asked_for_after_the_newest_times(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Admin:
        def list_partition_offsets(self, specs: dict[TopicPartition, int], isolation: IsolationLevel) -> dict[Any, Any]:
            assert isolation == IsolationLevel.READ_UNCOMMITTED
            asked.append(specs[P0])
            return {each: SimpleNamespace(offset=9, timestamp=NOW_MS) for each in specs}

        def close(self) -> None:
            """Close nothing."""

    monkeypatch.setattr(answers, "quick_client", lambda *_: Admin())

    assert answers.ends(Settings(), [P0]) == Ends({P0: 9}, {P0: NOW_MS})
    assert asked == [OffsetSpec.MAX_TIMESTAMP, OffsetSpec.LATEST]


STEP = Vertex("steps", "ProcessTableFunction[7] -> Calc[8] -> ProcessTableFunction[9]", 2)
OTHER = Vertex("other", "Source: records of orders[1] -> Calc[2]", 2)
METRICS = {
    "0.ProcessTableFunction[7].currentOutputWatermark": "700",
    "0.ProcessTableFunction[9].currentOutputWatermark": "690",
    "1.ProcessTableFunction[7].currentOutputWatermark": "800",
    "1.ProcessTableFunction[9].currentOutputWatermark": "790",
    "0.Calc[8].currentOutputWatermark": "5",
    **{f"{subtask}.accumulate{kind}TimeMs": f"{subtask}5.5" for subtask in (0, 1) for kind in ("Idle", "Busy")},
    **{f"{subtask}.accumulateBackPressuredTimeMs": "0" for subtask in (0, 1)},
    "0.busyTimeMsPerSecond": "3",
}


@dataclass
class Flink:
    """Flink's metrics of one job."""

    metrics: dict[str, str] = field(default_factory=lambda: dict(METRICS))
    settings: Settings = field(default_factory=Settings)
    asked: list[set[str]] = field(default_factory=list)
    """Kinds of metrics whose values were asked for, by request."""

    def answer(self, request: str, _body: bytes) -> tuple[int, object]:
        path, _, query = unquote(request.removeprefix("GET /")).partition("?get=")
        if path == "jobs/id of order_enrichment":
            return 200, {"now": NOW_MS}
        assert path == "jobs/id of order_enrichment/vertices/steps/metrics"
        names = query.split(",") if query else list(self.metrics)
        if query:
            self.asked.append({"age" if ".accumulate" in name else "watermark" for name in names})
        return 200, [{"id": name, "value": self.metrics[name]} if query else {"id": name} for name in names]


@pytest.fixture
def flink() -> Iterator[Flink]:
    """Flink's REST API on a free port."""
    found = Flink()
    with json_server(found.answer) as address:
        found.settings = Settings(flink_rest_url=address)
        yield found


def checkpoints(completed: int = 2, **more: Any) -> Checkpoints:
    running = replace(live(job("order_enrichment"), since=60), vertices=(OTHER, STEP))
    return Checkpoints(replace(running, **more), 100, ago(5), completed=completed, restored=ago(61))


def test_reading_has_the_watermarks_of_the_steps_and_the_ages_of_their_tasks(flink: Flink) -> None:
    found = answers.reading(flink.settings, checkpoints(), "ProcessTableFunction")

    assert found == Reading(
        Attempt("id of order_enrichment", ago(60), ago(61)),
        {
            "steps 0.ProcessTableFunction[7].currentOutputWatermark": 700,
            "steps 0.ProcessTableFunction[9].currentOutputWatermark": 690,
            "steps 1.ProcessTableFunction[7].currentOutputWatermark": 800,
            "steps 1.ProcessTableFunction[9].currentOutputWatermark": 790,
        },
        {"steps 0": "0 05.5 05.5", "steps 1": "0 15.5 15.5"},
        datetime.fromtimestamp(NOW_MS / 1000, UTC),
    )
    assert found.watermark == 690
    assert flink.asked == [{"age"}, {"watermark"}], "watermarks may be older than ages that are asked for later"


@pytest.mark.parametrize("lost", ["1.ProcessTableFunction", "1.accumulate"])
def test_reading_needs_the_metrics_of_each_task(flink: Flink, lost: str) -> None:
    flink.metrics = {name: value for name, value in METRICS.items() if not name.startswith(lost)}

    with pytest.raises(NotYetError, match="no watermarks of all its tasks yet"):
        answers.reading(flink.settings, checkpoints(), "ProcessTableFunction")


@pytest.mark.parametrize("found", [checkpoints(completed=1), checkpoints(waiting_tasks=1)])
def test_job_that_does_not_run_or_is_new_has_no_reading_yet(found: Checkpoints) -> None:
    with pytest.raises(NotYetError, match=r"the job is RUNNING, with \d checkpoints of its own"):
        answers.reading(Settings(), found, "ProcessTableFunction")


def test_step_that_the_job_does_not_have_is_named() -> None:
    with pytest.raises(UnknownError, match="the job has no step 'notify'"):
        answers.reading(Settings(), checkpoints(), "notify")
