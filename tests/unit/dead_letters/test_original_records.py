"""Reading of the complete record of a dead letter that was cut."""

from collections.abc import Iterable

import click
import pytest
from click.testing import CliRunner
from kafka import TopicPartition

from connectors.settings import Settings
from events import Cut
from ops.cli import CommandGroup
from ops.dead_letters import original_records
from ops.dead_letters.original_records import with_originals
from tests.builders.events import dead_letter

CUT = dead_letter("payments-0-17", cut=Cut(key_bytes=2, payload_bytes=9, payload_sha256="0" * 64, headers=0))


class SilentConsumer:
    """A topic that has the record, and a broker that doesn't send it."""

    config = {"bootstrap_servers": ["127.0.0.1:9"]}  # noqa: RUF012 - never changed

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 100)

    def assign(self, _partitions: Iterable[TopicPartition]) -> None: ...

    def seek(self, _partition: TopicPartition, _offset: int) -> None: ...

    def close(self) -> None: ...


@click.group(cls=CommandGroup)
def group() -> None: ...


@group.command("read")
def read() -> None:
    list(with_originals(Settings(), [CUT]))


def test_silent_broker_is_one_message_with_the_place_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_records, "kafka_client", lambda *_, **__: SilentConsumer())
    monkeypatch.setattr(original_records, "DEADLINE_SECONDS", 0)

    result = CliRunner().invoke(group, ["read"])

    assert (result.exit_code, result.output) == (
        1,
        "Error: the complete record of dead letter payments-0-17 can't be read: the Kafka broker at 127.0.0.1:9 sent "
        "nothing of payments, partition 0, offset 17 for 0 s; see whether it is well, and run the command again\n",
    )
