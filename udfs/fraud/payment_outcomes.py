"""Outcomes of rows of the view `noteworthy_payments`: dead letters, shadow hits and suspicions. Knows no Flink."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from events import DeadLetter, Payment, ShadowHit
from udfs.fraud.alerts import Suspicion
from udfs.fraud.rules import Verdict
from udfs.source_records import SourceRecord


@dataclass(frozen=True)
class NoteworthyPayment:
    """A row that leaves the main flow: suspicious, late, or undecodable."""

    kind: str
    """`rejected`: not a valid payment. `late`: older than the features reach back. `judged`: broke rules."""
    event_time: int
    """Timestamp of the record, in UTC milliseconds."""
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Mapping[str, bytes | None]
    payload: bytes | None
    """Value of the record if rejected; otherwise the payment as JSON."""
    note: str
    """The reason if rejected or late; the `Verdict` as JSON if judged."""


Outcome = DeadLetter | ShadowHit | Suspicion


def outcomes(noteworthy: NoteworthyPayment, job: str) -> Iterator[Outcome]:
    """Yield everything that follows from one row."""
    if noteworthy.kind != "judged":
        yield _dead_letter(noteworthy, noteworthy.note, job)
        return
    verdict = msgspec.json.decode(noteworthy.note, type=Verdict)
    try:
        payment = msgspec.json.decode(noteworthy.payload or b"", type=Payment)
    except msgspec.ValidationError as error:
        # The table rejects such a payment; if one arrives in another way, it must not fail the job repeatedly.
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


def _dead_letter(noteworthy: NoteworthyPayment, reason: str, job: str) -> DeadLetter:
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
