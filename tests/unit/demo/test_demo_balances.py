"""The demo counts each program's records, not offsets, and a balance fails when one is lost."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from kafka import TopicPartition
from msgspec import structs

from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, ORDERS, PAYMENTS, REVENUE
from connectors.settings import Settings
from jobs import flow
from jobs.flow import Program
from local.demo.checks.balances import Balance, balances
from local.demo.results import programs
from local.demo.results.observer import Observed, Written
from local.demo.results.programs import Flow, Progress
from local.simulator.ledger import LedgerContent
from tests.builders.events import dead_letter
from tests.builders.shop import enriched, placed, sent

FIRST, SECOND = TopicPartition(PAYMENTS.name, 0), TopicPartition(PAYMENTS.name, 1)


def test_input_and_lag_of_a_group_count_records_only() -> None:
    seen = Observed(offsets={FIRST: [0, 1, 5], SECOND: [2]})

    far = programs.progress(seen, [PAYMENTS], {FIRST: 2, SECOND: 3})

    assert far == Progress({"payments": 3}, lag=1)


def test_transaction_marker_is_no_record_to_read() -> None:
    behind_the_record_before_the_marker = {FIRST: 6}

    assert (
        programs.progress(Observed(offsets={FIRST: [0, 5]}), [PAYMENTS], behind_the_record_before_the_marker).lag == 0
    )


def test_group_without_commits_has_all_records_to_read() -> None:
    assert programs.progress(Observed(offsets={FIRST: [0, 1]}), [PAYMENTS], {}) == Progress({"payments": 0}, lag=2)


def test_row_of_a_program_has_input_output_dead_letters_and_lag() -> None:
    program = Flow(flow.WAREHOUSE, taken_in=1_234, out=1_230, dead_letters=4, lag=0)

    assert programs.row(Settings(), program) == ("warehouse", "millrace.warehouse", "1,234", "1,230 rows", "4", "0")


def test_producer_has_no_group_no_dead_letters_and_no_lag() -> None:
    program = Flow(flow.CAPTURE, taken_in=12, out=12, dead_letters=0, lag=None)

    assert programs.row(Settings(), program) == ("shop, captured", "-", "12", "12", "-", "-")


def test_consumer_with_lag_at_the_end_is_found() -> None:
    each_program = [Flow(program, taken_in=1, out=1, dead_letters=0, lag=0) for program in flow.consumers()]

    (right,) = programs.findings(each_program)
    (wrong,) = programs.findings([replace(each_program[0], lag=3), *each_program[1:]])

    assert right.holds
    assert (wrong.found, wrong.holds) == ("fraud_detection: 3", False)


ORDERED = sent(placed("o1"), placed("o2"), placed("o1")).records
PAID = [
    structs.replace(ORDERED[0], topic=PAYMENTS.name, payment_id=payment_id, order=None) for payment_id in ("p1", "p1")
]
SENT = LedgerContent((*ORDERED, *PAID), None)
"""Two orders, one of them twice, and a payment twice; a torn record follows in each topic."""

SEEN = Observed(
    enriched=[
        structs.replace(enriched(placed("o1", buyer=9)), event_id="o1-1"),
        structs.replace(enriched(placed("o1")), event_id="o1-2", revision=2),
        enriched(placed("o2")),
    ],
    dead_letters=[
        dead_letter("orders-0-3", rejected_by="order_enrichment"),
        dead_letter("payments-0-2", rejected_by="fraud_detection"),
        dead_letter("payments-0-2", rejected_by="warehouse"),
        dead_letter("enriched-orders-0-1", rejected_by="revenue_per_minute"),
    ],
)
READ = {
    flow.FRAUD_DETECTION: Progress({PAYMENTS.name: 3}, 0),
    flow.ORDER_ENRICHMENT: Progress({ORDERS.name: 4}, 0),
    flow.REVENUE: Progress({ENRICHED_ORDERS.name: 3}, 0),
    flow.SEARCH_INDEX: Progress({ENRICHED_ORDERS.name: 3, FRAUD_ALERTS.name: 1}, 0),
    flow.WAREHOUSE: Progress({PAYMENTS.name: 3, ENRICHED_ORDERS.name: 3, FRAUD_ALERTS.name: 1, REVENUE.name: 5}, 0),
}
ROWS = {PAYMENTS.name: 1, ENRICHED_ORDERS.name: 2, FRAUD_ALERTS.name: 1, REVENUE.name: 5}
DOCUMENTS = {ENRICHED_ORDERS.name: 2, FRAUD_ALERTS.name: 1}


def broken(
    seen: Observed = SEEN,
    read: Mapping[Program, Progress] = READ,
    rows: Mapping[str, int] = ROWS,
    documents: Mapping[str, int] = DOCUMENTS,
    accepted: int | None = 2,
) -> list[str]:
    found = [
        balance.finding() for balance in balances(SENT, seen, read, accepted=accepted, rows=rows, documents=documents)
    ]
    return [finding.claim for finding in found if not finding.holds]


def test_every_sum_is_right_if_nothing_is_lost() -> None:
    assert broken() == []


def test_balance_describes_the_outcome_of_its_records() -> None:
    balance = Balance(ORDERS, flow.ORDER_ENRICHMENT, 4, {"enriched": 2, "repeated": 1, "dead letters": 1})

    assert balance.finding().claim == "orders ─▶ order_enrichment"
    assert balance.finding().found == "4 = 2 enriched + 1 repeated + 1 dead letters"


@pytest.mark.parametrize("number", range(4))
def test_lost_dead_letter_fails_its_balance(number: int) -> None:
    lost = SEEN.dead_letters[number]

    letters = [each for each in SEEN.dead_letters if each is not lost]

    claims = broken(replace(SEEN, dead_letters=letters))
    # An order late for its minute counts there unless it has a dead letter: that sum holds, its revenue doesn't.
    assert claims == ([] if number == 3 else [f"{lost.source_topic} ─▶ {lost.rejected_by}"])


@pytest.mark.parametrize("topic", ROWS)
def test_missing_row_of_the_warehouse_fails_its_balance(topic: str) -> None:
    assert broken(rows=ROWS | {topic: ROWS[topic] - 1}) == [f"{topic} ─▶ warehouse"]


@pytest.mark.parametrize("topic", DOCUMENTS)
def test_missing_document_fails_its_balance(topic: str) -> None:
    assert broken(documents=DOCUMENTS | {topic: DOCUMENTS[topic] - 1}) == [f"{topic} ─▶ search_index"]


def test_order_not_enriched_fails_the_balance_of_orders() -> None:
    assert broken(replace(SEEN, enriched=SEEN.enriched[:2]))[0] == "orders ─▶ order_enrichment"


def test_payment_not_judged_fails_its_balance() -> None:
    assert broken(accepted=1) == ["payments ─▶ fraud_detection"]


def test_own_counts_of_a_restarted_job_are_not_checked() -> None:
    assert broken(accepted=None) == []
    sums = balances(SENT, SEEN, READ, accepted=None, rows=ROWS, documents=DOCUMENTS)
    assert (PAYMENTS, flow.FRAUD_DETECTION) not in [(balance.topic, balance.program) for balance in sums]


def test_duplicate_alert_has_one_row_and_one_document() -> None:
    alert = Written("fraud_detection", FRAUD_ALERTS.name, "a1")
    more = {program: Progress(far.taken_in | {FRAUD_ALERTS.name: 2}, 0) for program, far in READ.items()}

    assert broken(replace(SEEN, seen_at_ms={alert: [1, 2]}), more) == []
    assert broken(SEEN, more) == ["fraud-alerts ─▶ search_index", "fraud-alerts ─▶ warehouse"]


def test_unread_record_fails_its_balance() -> None:
    read = READ | {flow.REVENUE: Progress({ENRICHED_ORDERS.name: 2}, 1)}

    assert broken(read=read) == ["enriched-orders ─▶ revenue_per_minute"]
