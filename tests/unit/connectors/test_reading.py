"""A topic is read to the end that it has at a moment; a broker that doesn't send what is there is reported."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from connectors.kafka import reading
from connectors.kafka.reading import TopicReader, committed_records
from connectors.settings import Settings

ORDERS = [TopicPartition("orders", number) for number in (0, 1)]


class Consumer:
    """A topic of two partitions: what each poll returns, as (partition, offset), an outage, or nothing."""

    def __init__(self, *polls: list[tuple[int, int]] | Exception, ends: tuple[int, int], first: int = 0) -> None:
        self.config = {"bootstrap_servers": ["127.0.0.1:9"]}
        self.polls, self.ends, self.first = list(polls), ends, first
        self.positions: dict[TopicPartition, int] = {}
        self.closed = False

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        assert list(partitions) == ORDERS

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {1, 0} if topic == "orders" else None

    def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.first)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict(zip(partitions, self.ends, strict=True))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def poll(self, timeout_ms: int, max_records: int | None) -> dict[TopicPartition, list[Any]]:
        assert (timeout_ms, max_records) == (reading.POLL_MS, None)
        found = self.polls.pop(0) if self.polls else []
        if isinstance(found, Exception):
            raise found
        records = {each: [SimpleNamespace(offset=at) for p, at in found if p == each.partition] for each in ORDERS}
        for partition, batch in records.items():
            if batch:
                self.positions[partition] = batch[-1].offset + 1
        return records

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "POLL_MS", 1)


def offsets(reader: TopicReader) -> list[list[int]]:
    return [[each.offset for each in records] for records in reader.read_to(reader.ends(), outage_seconds=5)]


def test_reader_yields_what_is_there_and_stays_behind_it() -> None:
    consumer = Consumer([(0, 0), (0, 1)], [(1, 0)], [(0, 2)], ends=(2, 1))

    with TopicReader(consumer, ORDERS) as reader:
        assert offsets(reader) == [[0, 1], [0]]
        assert reader.reached() == {ORDERS[0]: 2, ORDERS[1]: 1}
        assert [each.offset for each in reader.poll(1)] == [2]

    assert consumer.closed


def test_reader_starts_at_given_offsets_but_not_before_the_first_record() -> None:
    reader = TopicReader(Consumer(ends=(9, 9), first=3), ORDERS)
    assert reader.reached() == {ORDERS[0]: 3, ORDERS[1]: 3}

    reader.seek({ORDERS[0]: 1, ORDERS[1]: 7})

    assert reader.reached() == {ORDERS[0]: 3, ORDERS[1]: 7}
    assert reader.missing(reader.ends()) == 8


def test_offset_of_a_partition_that_is_gone_is_ignored() -> None:
    reader = TopicReader(Consumer(ends=(9, 9)), ORDERS)

    reader.seek({ORDERS[1]: 7, TopicPartition("orders", 2): 5})

    assert reader.reached() == {ORDERS[0]: 0, ORDERS[1]: 7}


def test_outage_is_reported_and_reading_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SILENT_SECONDS", 0.0)
    reports: list[str] = []
    consumer = Consumer([(0, 0)], KafkaConnectionError("111 ECONNREFUSED"), [], [(0, 1), (1, 0)], ends=(2, 1))

    assert offsets(TopicReader(consumer, ORDERS, reports.append)) == [[0], [1, 0]]

    assert reports == [
        "the Kafka broker at 127.0.0.1:9 has been unavailable for 0 s; trying again",
        "the Kafka broker at 127.0.0.1:9 is back after 0.0 s",
    ]


def test_too_long_outage_is_an_error() -> None:
    reader = TopicReader(Consumer(ends=(2, 1)), ORDERS)

    with pytest.raises(KafkaTimeoutError, match="orders can't be read to the end: nothing came for 0 s"):
        list(reader.read_to(reader.ends(), outage_seconds=0))


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    made = Consumer([(0, 3), (0, 4)], [(1, 0)], ends=(5, 1))
    monkeypatch.setattr(reading, "kafka_client", lambda *_, **__: made)
    return made


def test_latest_records_are_the_same_number_from_each_partition(consumer: Consumer) -> None:
    found = committed_records(Settings(), "orders", latest=4)

    assert next(found).offset == 3
    assert consumer.positions[ORDERS[1]] == 0
    assert len(list(found)) == 2
    assert consumer.closed


def test_long_reading_is_reported_on_stderr(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "SECONDS_BETWEEN_REPORTS", -1.0)

    list(committed_records(Settings(), "orders", latest=4))

    assert capsys.readouterr().err.splitlines() == ["orders: 67% is read"]
    assert consumer.closed


def test_missing_topic_is_an_error(consumer: Consumer) -> None:
    with pytest.raises(LookupError, match=r"there is no topic 'refunds' .*ops topics apply"):
        list(committed_records(Settings(kafka_bootstrap_servers="127.0.0.1:9"), "refunds"))

    assert consumer.closed
