"""Checks the services' ledgers against the records in the topics. Knows no Kafka."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.kafka.topics import ORDERS, PAYMENTS, Topic
from events import FraudAlert
from jobs.flow import FRAUD_DETECTION, ORDER_ENRICHMENT, WAREHOUSE, Program
from local.demo.checks.finding import Finding
from local.demo.results.observer import Observed
from local.simulator.ledger import Incident, LedgerContent

READERS: dict[Program, Topic] = {FRAUD_DETECTION: PAYMENTS, ORDER_ENRICHMENT: ORDERS, WAREHOUSE: PAYMENTS}
"""Topic, among those that the services put bad records into, by the job that reads it."""


@dataclass(frozen=True)
class Caught:
    """Result for one fraud pattern."""

    pattern: str
    planted: int
    caught: int
    rules: tuple[str, ...]
    """Rules that caught it, the most frequent first."""


def findings(ledger: LedgerContent, observed: Observed) -> Iterator[Finding]:
    """Yield the checks of payments and alerts.

    Args:
        ledger: of all services.
    """
    sent = ledger.of_topic(PAYMENTS.name)
    in_kafka = len(sent.arrived)
    yield Finding(
        "payments sent = payments in Kafka",
        f"{in_kafka:,} = {observed.records[PAYMENTS.name]:,}",
        in_kafka == observed.records[PAYMENTS.name],
    )
    ids = {alert.event_id for alert in observed.alerts}
    yield Finding("fraud was seen", f"{len(ids):,} alerts", bool(ids) or not sent.incidents)


def dead_letter_findings(ledger: LedgerContent, observed: Observed) -> Iterator[Finding]:
    """Yield the checks of each job's dead letters."""
    for program, topic in READERS.items():
        planted = set(ledger.of_topic(topic.name).bad_records)
        letters = observed.dead_letters_of(program.name)
        coordinates = {(each.source_topic, each.source_partition, each.source_offset) for each in letters}
        yield Finding(
            f"{program.name}: every bad record of {topic.name} is a dead letter, nothing else is",
            f"{len(planted & coordinates):,} of {len(planted):,}, {len(coordinates - planted):,} others",
            planted == coordinates,
        )


def caught(ledger: LedgerContent, alerts: Sequence[FraudAlert]) -> list[Caught]:
    """Return, for each planted pattern, how many of its incidents have a payment in an alert."""
    by_payment: dict[str, set[str]] = {}
    for alert in alerts:
        for payment_id in alert.payments:
            by_payment.setdefault(payment_id, set()).update(broken.rule for broken in alert.rules)
    by_pattern: dict[str, list[Incident]] = {}
    for incident in ledger.incidents.values():
        by_pattern.setdefault(incident.pattern, []).append(incident)
    return [_caught(pattern, incidents, by_payment) for pattern, incidents in sorted(by_pattern.items())]


def _caught(pattern: str, incidents: Sequence[Incident], rules_by_payment: dict[str, set[str]]) -> Caught:
    rules: Counter[str] = Counter()
    count = 0
    for incident in incidents:
        broken = set().union(*(rules_by_payment.get(payment_id, set()) for payment_id in incident.payment_ids))
        count += bool(broken)
        rules.update(broken)
    return Caught(pattern, len(incidents), count, tuple(rule for rule, _ in rules.most_common()))


def cards_wrongly_suspected(ledger: LedgerContent, alerts: Sequence[FraudAlert]) -> set[str]:
    """Return the cards with an alert and no planted fraud."""
    return {alert.card_id for alert in alerts} - ledger.defrauded_cards
