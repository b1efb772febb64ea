"""Measures of what readers find in sinks: how long each has lacked a record of its topic."""

from collections.abc import Iterator, Mapping, Sequence

from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, NOTIFICATIONS, PAYMENTS, REVENUE, Topic
from jobs.flow import NOTIFIER, ORDER_ENRICHMENT, SEARCH_INDEX, WAREHOUSE, Program
from ops.formats import time_in_words
from ops.health.answers.freshness import Missing, Sink, missing
from ops.health.check import Reading
from ops.health.scope import Scope

TABLES: Mapping[str, Topic] = {
    "fact_order": ENRICHED_ORDERS,
    "fact_order_line": ENRICHED_ORDERS,
    "fact_payment": PAYMENTS,
    "fact_alert": FRAUD_ALERTS,
    "revenue_per_minute": REVENUE,
}
"""Tables of the warehouse that have a row of each record's event time, with the topic that they are filled from."""


def enriched_orders(scope: Scope) -> Iterator[Reading]:
    """Yield for how many seconds readers of enriched orders have lacked an order."""
    if _runs(scope, ORDER_ENRICHMENT):
        yield from _readings(scope, [scope.enriched_orders])


def warehouse(scope: Scope) -> Iterator[Reading]:
    """Yield for how many seconds each table of facts has lacked a row."""
    if _runs(scope, WAREHOUSE):
        newest = scope.warehouse.newest
        yield from _readings(
            scope,
            [
                Sink(table, WAREHOUSE.name, topic.name, newest[table])
                for table, topic in TABLES.items()
                if table in newest
            ],
        )


def search(scope: Scope) -> Iterator[Reading]:
    """Yield for how many seconds each alias of the search index has lacked a document."""
    if _runs(scope, SEARCH_INDEX):
        newest = scope.newest_in_search
        yield from _readings(
            scope,
            [
                Sink(each.alias, SEARCH_INDEX.name, each.topic.name, newest[each.alias])
                for each in SEARCH_INDICES
                if each.alias in newest
            ],
        )


def mails(scope: Scope) -> Iterator[Reading]:
    """Yield the age of the first notification that the notifier has not dealt with; 0 if it has dealt with all."""
    for group in scope.brokers.groups:
        if group.name == NOTIFIER.name:
            waiting = [time for each, time in group.unread_since.items() if each.topic == NOTIFICATIONS.name]
            first = min(waiting, default=scope.now_ms)
            detail = f"the first that waits is of {time_in_words(first)}" if waiting else "none waits"
            yield Reading(NOTIFICATIONS.name, max(0.0, (scope.now_ms - first) / 1000), detail)


def _runs(scope: Scope, program: Program) -> bool:
    return any(job.name == program.name and not job.has_ended for job in scope.jobs)


def _readings(scope: Scope, sinks: Sequence[Sink]) -> Iterator[Reading]:
    for each in missing(scope.settings, sinks, scope.brokers, scope.letters, scope.now_ms):
        yield Reading(f"{each.sink.topic} → {each.sink.name}", each.seconds, _in_words(each))


def _in_words(found: Missing) -> str:
    newest = found.sink.newest
    shown = "nothing is there" if newest is None else f"the newest there is of {time_in_words(newest)}"
    lacked = "" if found.since is None else f", and the first that is missing of {time_in_words(found.since)}"
    return shown + lacked
