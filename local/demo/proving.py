"""Compares the demo's results with its inputs: runs all checks, and shows them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, ORDERS, PAYMENTS, REVENUE
from connectors.settings import Settings
from jobs import flow as picture
from local.demo.checks import (
    arrows,
    copy_proof,
    notification_proof,
    order_proof,
    proof,
    revenue_proof,
    search_proof,
    warehouse_proof,
)
from local.demo.checks.notification_proof import Told
from local.demo.checks.order_proof import Expectation
from local.demo.checks.proof import Finding
from local.demo.checks.warehouse_proof import Warehouse
from local.demo.figures import flow, index_reading, mailbox_reading
from local.demo.figures.database_reading import read_shop, read_warehouse
from local.demo.figures.job_figures import JobFigures
from local.demo.figures.observer import Observed
from local.demo.saying import say
from local.demo.services import Services
from local.simulator.ledger import LedgerContent
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.stack.setup import Setup
from notifier.senders import SENDERS
from ops.formats import table
from ops.jobs.cluster_jobs import Restarts
from udfs.notifications import notification_policy


class ProofError(RuntimeError):
    """A check fails; the text says which, and what was found."""


@dataclass(frozen=True)
class Ledgers:
    """Records of the services, once they have ended."""

    sent: LedgerContent
    shop: ShopLedgerContent
    within_hours: int
    """Maximum time after an order in which its customer and products may be entered."""

    @cached_property
    def expected(self) -> Mapping[str, Expectation]:
        """Expected result of each order."""
        return order_proof.expectations(self.sent, self.shop, self.within_hours)


def read_ledgers(settings: Settings, services: Services) -> Ledgers:
    """Read the ledgers of services that have ended.

    Raises:
        LedgerError: one can't be read.
    """
    return Ledgers(services.sent(), services.shop(), int(settings.missing_data_hours))


def prove(
    setup: Setup, observed: Observed, ledgers: Ledgers, fraud_job: JobFigures, restarts: Mapping[str, Restarts]
) -> None:
    """Show what went through each program, and check it against the ledgers.

    Args:
        restarts: of each job, by name.

    Raises:
        ProofError: something is missing, too much or wrong.
    """
    _say_what_was_sent(ledgers.sent)
    _say_what_was_caught(ledgers.sent, observed)
    settings = setup.settings
    filled = read_warehouse(settings)
    read = flow.committed(settings)
    made = {
        picture.ORDER_SERVICE: len(ledgers.sent.of_topic(ORDERS.name).arrived),
        picture.PAYMENT_SERVICE: len(ledgers.sent.of_topic(PAYMENTS.name).arrived),
        picture.CAPTURE: sum(len(versions) for versions in ledgers.shop.versions.values()),
    }
    other = {
        picture.SEARCH_INDEX: index_reading.count(settings),
        picture.NOTIFIER: mailbox_reading.count(setup),
        picture.WAREHOUSE: filled.rows,
    }
    boxes = flow.flows(settings, observed, read, made, other)
    say(f"\n{table(flow.HEADINGS, [flow.row(settings, each) for each in boxes])}\n")
    progress = {box: flow.progress(observed, box.reads, read[box.group(settings)]) for box in picture.consumers()}
    rows = {
        PAYMENTS.name: len(filled.payments),
        ENRICHED_ORDERS.name: len(filled.orders),
        FRAUD_ALERTS.name: len(filled.alerts),
        REVENUE.name: len(filled.minutes),
    }
    documents = {each.topic.name: len(index_reading.documents(settings, each.alias)) for each in SEARCH_INDICES}
    sums = arrows.arrows(
        ledgers.sent, observed, progress, accepted=fraud_job.accepted_in_all, rows=rows, documents=documents
    )
    found = [
        *flow.findings(boxes),
        *(arrow.finding() for arrow in sums),
        *proof.findings(ledgers.sent, observed),
        copy_proof.finding(observed, restarts),
        *proof.poison_findings(ledgers.sent, observed),
        *order_proof.findings(ledgers.expected, observed.enriched),
        *_of_warehouse(settings, observed, ledgers, filled),
        *search_findings(settings, observed),
        *notification_findings(setup, observed, ledgers),
    ]
    if fraud_job.restarts:
        say(f"fraud_detection has restarted {fraud_job.restarts} times: what it counts itself is no proof\n")
    say(table(("", "claim", "found"), [("ok" if each.holds else "NO", each.claim, each.found) for each in found]))
    broken = [each for each in found if not each.holds]
    if broken:
        raise ProofError("; ".join(f"{each.claim}: {each.found}" for each in broken))


def warehouse_findings(settings: Settings, observed: Observed, ledgers: Ledgers) -> Sequence[Finding]:
    """Return the checks of the warehouse's current content."""
    return _of_warehouse(settings, observed, ledgers, read_warehouse(settings))


def search_findings(settings: Settings, observed: Observed) -> Sequence[Finding]:
    """Return the checks of the search index's current content."""
    orders, alerts = (index_reading.documents(settings, each.alias) for each in SEARCH_INDICES)
    return list(search_proof.findings(observed.enriched, observed.alerts, orders, alerts))


def notification_findings(setup: Setup, observed: Observed, ledgers: Ledgers) -> Sequence[Finding]:
    """Return the checks of notifications, by the current content of the topic and the mailbox."""
    news = notification_proof.news_of(observed.alerts, observed.enriched, seen_by=time.time_ns() // 1_000_000)
    policy = notification_policy.parse(notification_policy.default_text())
    told = Told(policy, news, observed.notifications, ledgers.shop.versions)
    mailed = mailbox_reading.notification_ids(mailbox_reading.mails(setup))
    return list(notification_proof.findings(told, mailed, mailbox_reading.restarts(setup) * SENDERS))


def _of_warehouse(settings: Settings, observed: Observed, ledgers: Ledgers, filled: Warehouse) -> Sequence[Finding]:
    alerts = [alert.event_id for alert in observed.alerts]
    letters = observed.dead_letters_of(picture.REVENUE.name)
    return [
        *warehouse_proof.findings(filled, ledgers.expected, ledgers.sent, alerts),
        *warehouse_proof.shop_findings(ledgers.shop, read_shop(settings), filled.shop),
        *revenue_proof.findings(observed.enriched, letters, observed.revenue, filled.minutes),
    ]


def _say_what_was_sent(sent: LedgerContent) -> None:
    for topic in (PAYMENTS, ORDERS):
        counts = sorted(sent.of_topic(topic.name).kinds.items())
        say(f"\nsent to {topic.name}: {', '.join(f'{count:,} {kind}' for kind, count in counts)}")


def _say_what_was_caught(sent: LedgerContent, observed: Observed) -> None:
    caught = proof.caught(sent, observed.alerts)
    rows = [(each.pattern, each.planted, each.caught, ", ".join(each.rules)) for each in caught]
    say(f"\n{table(('planted fraud', 'incidents', 'caught', 'by the rules'), rows)}")
    wrong = proof.cards_wrongly_suspected(sent, observed.alerts)
    cards = {record.key for record in sent.of_topic(PAYMENTS.name).records}
    say(f"\nalerts for cards with no planted fraud: {len(wrong):,} cards of {len(cards):,}")
