"""Ledgers contain the records that were sent, and are read back as they were written."""

import pytest

from connectors.kafka.topics import ORDERS, PAYMENTS
from local.simulator.ledger import Ledger
from local.simulator.ledger_file import LedgerError
from local.simulator.outgoing import Outgoing
from local.simulator.publisher import Receipt
from tests.builders.events import order, payment


def outgoing(card: str, at: str, kind: str = "good", pattern: str | None = None) -> Outgoing:
    """Return a payment about to be sent; with a pattern it belongs to the card's one incident."""
    event = payment(card, at)
    incident_id = f"incident-of-{card}" if pattern else None
    return Outgoing(PAYMENTS, card.encode(), event.event_time, event.event_time, kind, event, b"", pattern, incident_id)


def bad_record(card: str, at: str, kind: str) -> Outgoing:
    """Return a record that is no payment."""
    moment = payment(card, at).event_time
    return Outgoing(PAYMENTS, card.encode(), moment, moment, f"bad:{kind}", None, b"{")


@pytest.fixture
def path(tmp_path):
    """Write a ledger of two honest payments, an incident of two, a duplicate, a bad record, and a refused one."""
    file = tmp_path / "new folder" / "ledger.jsonl"
    ledger = Ledger(file)
    sent = [
        outgoing("c1", "12:00:00"),
        outgoing("c2", "12:00:02", pattern="card_testing"),
        outgoing("c2", "12:00:01", pattern="card_testing"),
        outgoing("c1", "12:00:00", kind="duplicate"),
        bad_record("c1", "12:00:03", "empty"),
        bad_record("c1", "12:00:04", "truncated"),
        outgoing("c3", "12:00:05", kind="late"),
    ]
    for offset, record in enumerate(sent):
        ledger.write(record, Receipt(sent_at_ms=1_000 + offset, partition=2, offset=offset))
    ledger.write(outgoing("c4", "12:30:00"), Receipt(sent_at_ms=2_000, refusal="timestamp too far ahead"))
    ledger.finish(started_at=900, ended_at=2_100, complete=True)
    return file


def test_every_record_is_read_back_with_its_coordinates(path):
    # when
    content = Ledger.read(path)

    # then
    first = content.records[0]
    assert (first.topic, first.partition, first.offset, first.key) == ("payments", 2, 0, "c1")
    assert (first.payment_id, first.kind, first.sent_at) == ("c1@12:00:00", "good", 1_000)
    assert content.of_topic("payments") == content
    assert content.of_topic("orders").records == ()


def test_sums_are_those_of_the_records(path):
    # when
    content = Ledger.read(path)

    # then
    assert content.kinds == {
        "good": 3,
        "duplicate": 1,
        "late": 1,
        "bad:empty": 1,
        "bad:truncated": 1,
        "refused": 1,
    }
    assert content.payment_ids == {"c1@12:00:00", "c2@12:00:01", "c2@12:00:02", "c3@12:00:05"}
    assert content.bad_records == {("payments", 2, 4): "empty", ("payments", 2, 5): "truncated"}


def test_incident_has_its_payments_in_order_of_event_time(path):
    # when
    content = Ledger.read(path)

    # then
    [incident] = content.incidents.values()
    assert (incident.pattern, incident.card_id) == ("card_testing", "c2")
    assert incident.payment_ids == ("c2@12:00:01", "c2@12:00:02")
    assert content.defrauded_cards == {"c2"}


def test_order_is_read_back_as_sent_only_if_acknowledged(tmp_path):
    # given
    ledger = Ledger(tmp_path / "ledger.jsonl")
    sent, failed = order("o1"), order("o2")

    # when
    for event, receipt in [
        (sent, Receipt(1_000, partition=0, offset=0)),
        (failed, Receipt(1_000, failure="no answer")),
    ]:
        ledger.write(Outgoing(ORDERS, b"o", event.event_time, event.event_time, "good", event), receipt)
    ledger.finish(started_at=0, ended_at=1, complete=False)

    # then
    assert Ledger.read(tmp_path / "ledger.jsonl").orders == (sent,)


def test_refused_record_has_no_coordinates_but_a_reason(path):
    # when
    [refused] = [record for record in Ledger.read(path).records if record.kind == "refused"]

    # then
    assert (refused.partition, refused.offset) == (None, None)
    assert refused.error == "timestamp too far ahead"


def test_record_of_unknown_outcome_counts_as_failed(tmp_path):
    # given
    ledger = Ledger(tmp_path / "ledger.jsonl")

    # when
    ledger.write(outgoing("c1", "12:00:00"), Receipt(sent_at_ms=1_000, failure="no answer"))
    summary = ledger.finish(started_at=0, ended_at=1, complete=False)

    # then
    assert summary.kinds == {"failed": 1}
    assert Ledger.read(tmp_path / "ledger.jsonl").payment_ids == set()


def test_last_line_is_the_summary(path):
    # when
    summary = Ledger.read(path).summary

    # then
    assert summary is not None
    assert summary.complete
    assert summary.kinds["good"] == 3
    assert summary.incidents == {"card_testing": 1}


def test_ledger_whose_service_was_killed_can_be_read(path):
    # given
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])

    # when
    content = Ledger.read(path)

    # then
    assert len(content.records) == 3
    assert content.summary is None


def test_flushed_lines_can_be_read_while_the_service_runs(tmp_path):
    # given
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.write(outgoing("c1", "12:00:00"), Receipt(sent_at_ms=1_000, partition=0, offset=0))

    # when
    ledger.flush()

    # then
    assert Ledger.read(tmp_path / "ledger.jsonl").payment_ids == {"c1@12:00:00"}


def test_invalid_line_is_named(path):
    # given
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"not JSON\n" + lines[1])

    # then
    with pytest.raises(LedgerError, match="line 2"):
        Ledger.read(path)


def test_existing_ledger_is_not_overwritten(path):
    with pytest.raises(LedgerError, match="already holds"):
        Ledger(path)
