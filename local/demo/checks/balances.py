"""Checks, for each topic and consumer, that the records read add up to its outputs and dead letters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, ORDERS, PAYMENTS, REVENUE, Topic
from jobs import flow
from jobs.flow import Program
from local.demo.checks.finding import Finding
from local.demo.results.observer import Observed
from local.demo.results.programs import Progress
from local.simulator.ledger import LedgerContent


@dataclass(frozen=True)
class Balance:
    """A topic and one of its consumers."""

    topic: Topic
    program: Program
    read: int
    """Number of records that the consumer's group has read."""
    became: Mapping[str, int]
    """Number of records by outcome, in words."""

    def finding(self) -> Finding:
        """Check that the sum is right."""
        parts = " + ".join(f"{count:,} {what}" for what, count in self.became.items() if count or what != "duplicates")
        claim = f"{self.topic.name} ─▶ {self.program.name}"
        return Finding(claim, f"{self.read:,} = {parts}", self.read == sum(self.became.values()))


def balances(
    sent: LedgerContent,
    observed: Observed,
    progress: Mapping[Program, Progress],
    *,
    accepted: int | None,
    rows: Mapping[str, int],
    documents: Mapping[str, int],
) -> Iterator[Balance]:
    """Yield the pairs of topic and consumer for which the outcome of every record is known.

    Args:
        sent: what the services sent to Kafka.
        accepted: payments that the fraud job accepted, by its own count; None if the count started again after a
            restart.
        rows: in the warehouse, by topic.
        documents: in the search index, by topic.
    """

    def letters(program: Program, topic: Topic) -> int:
        return sum(letter.source_topic == topic.name for letter in observed.dead_letters_of(program.name))

    def balance(topic: Topic, program: Program, **became: int) -> Balance:
        words = {what.replace("_", " "): count for what, count in became.items()}
        return Balance(
            topic, program, progress[program].taken_in[topic.name], words | {"dead letters": letters(program, topic)}
        )

    repeated_orders = len(sent.orders) - len({order.order_id for order in sent.orders})
    payments = [record for record in sent.arrived if record.payment_id is not None]
    repeated_payments = len(payments) - len(sent.payment_ids)
    first = sum(order.revision == 1 for order in observed.enriched)
    late = letters(flow.REVENUE, ENRICHED_ORDERS)
    complete = sum(order.complete for order in observed.enriched)
    if accepted is not None:
        yield balance(PAYMENTS, flow.FRAUD_DETECTION, judged=accepted)
    yield balance(ORDERS, flow.ORDER_ENRICHMENT, enriched=first, repeated=repeated_orders)
    yield balance(ENRICHED_ORDERS, flow.REVENUE, counted=complete - late, incomplete=len(observed.enriched) - complete)
    yield balance(PAYMENTS, flow.WAREHOUSE, rows=rows[PAYMENTS.name], repeated=repeated_payments)
    later = len(observed.enriched) - first
    yield balance(ENRICHED_ORDERS, flow.WAREHOUSE, rows=rows[ENRICHED_ORDERS.name], replaced_by_a_later_revision=later)
    yield balance(
        ENRICHED_ORDERS,
        flow.SEARCH_INDEX,
        documents=documents[ENRICHED_ORDERS.name],
        replaced_by_a_later_revision=later,
    )
    duplicates = observed.duplicates(FRAUD_ALERTS.name)
    yield balance(FRAUD_ALERTS, flow.SEARCH_INDEX, documents=documents[FRAUD_ALERTS.name], duplicates=duplicates)
    yield balance(FRAUD_ALERTS, flow.WAREHOUSE, rows=rows[FRAUD_ALERTS.name], duplicates=duplicates)
    yield balance(
        REVENUE,
        flow.WAREHOUSE,
        rows=rows[REVENUE.name],
        replaced_by_a_later_revision=len(observed.revenue) - len({minute.event_id for minute in observed.revenue}),
        duplicates=observed.duplicates(REVENUE.name),
    )
