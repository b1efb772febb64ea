"""Compares the demo's results with its inputs: runs all checks, and shows them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, ORDERS, PAYMENTS, REVENUE
from connectors.settings import Settings
from jobs import flow
from local.demo.checks import balances, duplicates, notifications, orders, payments, revenue, search, warehouse
from local.demo.checks.finding import Finding
from local.demo.checks.warehouse import Warehouse
from local.demo.output import report
from local.demo.results import mailbox, programs, search_index
from local.demo.results.databases import read_shop, read_warehouse
from local.demo.results.fraud_job import JobFigures
from local.demo.results.observer import Observed
from local.demo.services import Services
from local.oracles.orders import Expectation, expectations
from local.oracles.unsent_notifications import Sent, candidates
from local.simulator.ledger import LedgerContent
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.stack.setup import Setup
from notifier.senders import SENDERS
from ops.formats import table
from ops.jobs.cluster_jobs import Restarts
from udfs.notifications import notification_policy


class CheckError(RuntimeError):
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
        return expectations(self.sent, self.shop, self.within_hours)


def read_ledgers(settings: Settings, services: Services) -> Ledgers:
    """Read the ledgers of services that have ended.

    Raises:
        LedgerError: one can't be read.
    """
    return Ledgers(services.sent(), services.shop(), int(settings.missing_data_hours))


def check_results(
    setup: Setup, observed: Observed, ledgers: Ledgers, fraud_job: JobFigures, restarts: Mapping[str, Restarts]
) -> None:
    """Show what went through each program, and check it against the ledgers.

    Args:
        restarts: of each job, by name.

    Raises:
        CheckError: something is missing, too much or wrong.
    """
    _show_what_was_sent(ledgers.sent)
    _show_what_was_caught(ledgers.sent, observed)
    settings = setup.settings
    filled = read_warehouse(settings)
    read = programs.committed(settings)
    made = {
        flow.ORDER_SERVICE: len(ledgers.sent.of_topic(ORDERS.name).arrived),
        flow.PAYMENT_SERVICE: len(ledgers.sent.of_topic(PAYMENTS.name).arrived),
        flow.CAPTURE: sum(len(versions) for versions in ledgers.shop.versions.values()),
    }
    other = {
        flow.SEARCH_INDEX: search_index.count(settings),
        flow.NOTIFIER: mailbox.count(setup),
        flow.WAREHOUSE: filled.rows,
    }
    shown = programs.flows(settings, observed, read, made, other)
    report(f"\n{table(programs.HEADINGS, [programs.row(settings, each) for each in shown])}\n")
    progress = {each: programs.progress(observed, each.reads, read[each.group(settings)]) for each in flow.consumers()}
    rows = {
        PAYMENTS.name: len(filled.payments),
        ENRICHED_ORDERS.name: len(filled.orders),
        FRAUD_ALERTS.name: len(filled.alerts),
        REVENUE.name: len(filled.minutes),
    }
    documents = {each.topic.name: len(search_index.documents(settings, each.alias)) for each in SEARCH_INDICES}
    sums = balances.balances(
        ledgers.sent, observed, progress, accepted=fraud_job.accepted_in_all, rows=rows, documents=documents
    )
    found = [
        *programs.findings(shown),
        *(balance.finding() for balance in sums),
        *payments.findings(ledgers.sent, observed),
        duplicates.finding(observed, restarts),
        *payments.dead_letter_findings(ledgers.sent, observed),
        *orders.findings(ledgers.expected, observed.enriched),
        *_of_warehouse(settings, observed, ledgers, filled),
        *search_findings(settings, observed),
        *notification_findings(setup, observed, ledgers),
    ]
    if fraud_job.restarts:
        report(f"fraud_detection has restarted {fraud_job.restarts} times: its own counts are not checked\n")
    report(table(("", "claim", "found"), [("ok" if each.holds else "NO", each.claim, each.found) for each in found]))
    broken = [each for each in found if not each.holds]
    if broken:
        raise CheckError("; ".join(f"{each.claim}: {each.found}" for each in broken))


def warehouse_findings(settings: Settings, observed: Observed, ledgers: Ledgers) -> Sequence[Finding]:
    """Return the checks of the warehouse's current content."""
    return _of_warehouse(settings, observed, ledgers, read_warehouse(settings))


def search_findings(settings: Settings, observed: Observed) -> Sequence[Finding]:
    """Return the checks of the search index's current content."""
    documents = (search_index.documents(settings, each.alias) for each in SEARCH_INDICES)
    return list(search.findings(observed.enriched, observed.alerts, *documents))


def notification_findings(setup: Setup, observed: Observed, ledgers: Ledgers) -> Sequence[Finding]:
    """Return the checks of notifications, by the current content of the topic and the mailbox."""
    found = candidates(observed.alerts, observed.enriched, seen_by=time.time_ns() // 1_000_000)
    policy = notification_policy.parse(notification_policy.default_text())
    sent = Sent(policy, found, observed.notifications, ledgers.shop.versions)
    mailed = mailbox.notification_ids(mailbox.mails(setup))
    return list(notifications.findings(sent, mailed, mailbox.restarts(setup) * SENDERS))


def _of_warehouse(settings: Settings, observed: Observed, ledgers: Ledgers, filled: Warehouse) -> Sequence[Finding]:
    alerts = [alert.event_id for alert in observed.alerts]
    letters = observed.dead_letters_of(flow.REVENUE.name)
    return [
        *warehouse.findings(filled, ledgers.expected, ledgers.sent, alerts),
        *warehouse.shop_findings(ledgers.shop, read_shop(settings), filled.shop),
        *revenue.findings(observed.enriched, letters, observed.revenue, filled.minutes),
    ]


def _show_what_was_sent(sent: LedgerContent) -> None:
    for topic in (PAYMENTS, ORDERS):
        counts = sorted(sent.of_topic(topic.name).kinds.items())
        report(f"\nsent to {topic.name}: {', '.join(f'{count:,} {kind}' for kind, count in counts)}")


def _show_what_was_caught(sent: LedgerContent, observed: Observed) -> None:
    caught = payments.caught(sent, observed.alerts)
    rows = [(each.pattern, each.planted, each.caught, ", ".join(each.rules)) for each in caught]
    report(f"\n{table(('planted fraud', 'incidents', 'caught', 'by the rules'), rows)}")
    wrong = payments.cards_wrongly_suspected(sent, observed.alerts)
    cards = {record.key for record in sent.of_topic(PAYMENTS.name).records}
    report(f"\nalerts for cards with no planted fraud: {len(wrong):,} cards of {len(cards):,}")
