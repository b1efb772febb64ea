"""A command that reads a topic to its end reports a broker that doesn't send what is there."""

import pytest
from kafka.errors import KafkaTimeoutError

from connectors.settings import Settings
from ops.topics import records as topic_records
from ops.topics.records import Silence


def test_a_broker_that_sends_nothing_though_there_is_more_is_reported_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_records, "SILENT_SECONDS", 0.0)
    silence = Silence(Settings(kafka_bootstrap_servers="127.0.0.1:9"), "orders")

    for is_silent in (False, True, True, False, False):
        silence.note(is_silent=is_silent)

    assert capsys.readouterr().err.splitlines() == [
        "the Kafka broker at 127.0.0.1:9 has been away for 0 s; trying again",
        "the Kafka broker at 127.0.0.1:9 is back after 0.0 s",
    ]


def test_a_broker_that_sends_nothing_for_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_records, "AWAY_SECONDS", 0.0)
    silence = Silence(Settings(), "orders")

    with pytest.raises(KafkaTimeoutError, match="orders can't be read to its end"):
        for _ in range(2):
            silence.note(is_silent=True)
