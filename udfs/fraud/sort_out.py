"""What becomes of a noteworthy payment? One row of the view `noteworthy_payments` → where it goes; knows no Flink."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from events import DeadLetter, Payment, ShadowHit
from udfs.fraud.alerts import Suspicion
from udfs.fraud.rules import Verdict
from udfs.source_records import SourceRecord


@dataclass(frozen=True)
class Noteworthy:
    """A payment that isn't just counted."""

    kind: str
    """`rejected`: not a payment. `late`: older than the features reach back. `judged`: broke rules."""
    event_time: int
    """UTC milliseconds; the record's timestamp."""
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Mapping[str, bytes | None]
    payload: bytes | None
    """rejected: the record's value. Otherwise the payment as JSON."""
    note: str
    """rejected, late: the reason. judged: the `Verdict` as JSON."""


Outcome = DeadLetter | ShadowHit | Suspicion


def outcomes(noteworthy: Noteworthy, job: str) -> Iterator[Outcome]:
    """All that follows from one noteworthy payment."""
    if noteworthy.kind != "judged":
        yield _dead_letter(noteworthy, noteworthy.note, job)
        return
    verdict = msgspec.json.decode(noteworthy.note, type=Verdict)
    try:
        payment = msgspec.json.decode(noteworthy.payload or b"", type=Payment)
    except msgspec.ValidationError as error:
        # The table takes no such payment; where one comes another way, it must not fail the job time and again.
        yield _dead_letter(noteworthy, str(error), job)
        return
    if verdict.failures:
        yield _dead_letter(noteworthy, "; ".join(verdict.failures), job)
    if verdict.shadow:
        yield ShadowHit(
            event_id=f"shadow-{payment.payment_id}",
            event_time=noteworthy.event_time,
            card_id=payment.card_id,
            payment_id=payment.payment_id,
            ruleset_version=verdict.ruleset_version,
            rules=verdict.shadow,
        )
    if verdict.rules:
        yield Suspicion.of(payment, verdict)


def _dead_letter(noteworthy: Noteworthy, reason: str, job: str) -> DeadLetter:
    record = SourceRecord(
        topic=noteworthy.topic,
        partition=noteworthy.partition,
        offset=noteworthy.offset,
        event_time=noteworthy.event_time,
        key=noteworthy.key,
        headers=noteworthy.headers,
        payload=noteworthy.payload,
    )
    return record.dead_letter(reason, job)
