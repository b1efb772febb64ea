"""Measures the notifications job on a mini-cluster, with one slot, against a plain loop.

`python -m tests.bench.other_jobs.notifications` prints ratios; both in one run, since a machine's speed changes.
The loop decides by the same functions, but keeps the recipients as objects in a dict and the timers in a heap, reads
its records in the order of their times from memory, and keeps nothing over a crash. The job runs with few events
first, so that classes are loaded; then with the customers and few events, which is what starting it and reading the
customers takes, and with all. What both send is compared before anything is printed. Beside the seconds that passed
stand those of the processor, which say more where others use it too; the job's are of all threads of its JVM.
"""

import argparse
import heapq
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil

from events import Event, Notification
from ops.formats import table
from tests.builders.events import customer, enriched_line, enriched_order, event_time, fraud_alert
from tests.cluster.jobs.notifications_over_files import TOPICS, as_records, define, sent, write
from tests.cluster.mini_cluster import MiniCluster, mini_cluster
from tests.cluster.records import Record
from udfs.notifications.decisions import Decision, RecipientLogic
from udfs.notifications.input import alert_event, contact, order_event
from udfs.notifications.notification_policy import default_text, parse
from udfs.notifications.state import NOBODY, Recipient
from udfs.source_records import SourceRecord

POLICY = parse(default_text())
START = event_time("06:00:00")
HOURS = 24
FEW = 100
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney")


def customers(number: int) -> list[Event]:
    """Return customers that are all known before the first order; one in ten wants no messages."""
    return [
        customer(f"c{each}", event_time=START - 1, time_zone=ZONES[each % 4], notifications_opt_out=each % 10 == 0)
        for each in range(number)
    ]


def happenings(number: int, known: int) -> list[Event]:
    """Return orders of 2.5 lines on average, and an alert for every ten, over a day."""
    generator = random.Random(1)
    made: list[Event] = []
    for each in range(number):
        moment = START + each * HOURS * 3_600_000 // number
        who = f"c{generator.randrange(known)}"
        if each % 11 == 10:
            made.append(fraud_alert(f"a{each}", event_time=moment, card_id=f"card-{who}", customer_id=who))
        else:
            lines = tuple(enriched_line(n + 1, name=f"A book {n}") for n in range(generator.randint(1, 4)))
            made.append(enriched_order(f"o{each}", event_time=moment, customer_id=who, lines=lines))
    return made


class Loop:
    """What the job does, for records in the order of their times."""

    def __init__(self) -> None:
        self._recipients: dict[str, Recipient] = {}
        self._timers: list[tuple[int, str]] = []
        self.sent: list[bytes] = []

    def run(self, records: Sequence[tuple[str, str, SourceRecord]]) -> None:
        """Decide all of it: (table, recipient, record) each."""
        for source, who, record in records:
            self._pass(record.event_time - 1)
            before = self._recipients.get(who, NOBODY)
            now = record.event_time - 1
            logic = RecipientLogic(POLICY, who, before)
            if source == "db_changes_customers":
                decision = logic.on_customer(contact(record), now)
            elif source == "fraud_alerts":
                decision = logic.on_event(alert_event(record), now)
            else:
                decision = logic.on_event(order_event(record), now)
            self._keep(who, before, decision)
        self._pass(2**63)

    def _pass(self, now: int) -> None:
        while self._timers and self._timers[0][0] <= now:
            due, who = heapq.heappop(self._timers)
            before = self._recipients[who]
            if before.next_at == due:
                self._keep(who, before, RecipientLogic(POLICY, who, before).on_timer(due))

    def _keep(self, who: str, before: Recipient, decision: Decision) -> None:
        self._recipients[who] = decision.recipient
        due = decision.recipient.next_at
        if due is not None and due != before.next_at:
            heapq.heappush(self._timers, (due, who))
        self.sent += map(msgspec.json.encode, decision.notifications)


def in_order(records: dict[str, list[Record]], events: Sequence[Event]) -> list[tuple[str, str, SourceRecord]]:
    """As the loop reads them."""
    tables = {topic.event: table for table, topic in TOPICS.items()}
    rows = {table: iter(of_table) for table, of_table in records.items()}
    return [
        (table, event.customer_id, source_record(table, next(rows[table])))  # type: ignore[attr-defined]
        for event in events
        for table in (tables[type(event)],)
    ]


def source_record(table: str, record: Record) -> SourceRecord:
    return SourceRecord(
        topic=TOPICS[table].name,
        partition=record.partition,
        offset=0,
        event_time=record.timestamp,
        key=record.key,
        headers={},
        payload=record.value,
    )


@dataclass(frozen=True)
class Cost:
    """Time that something took."""

    seconds: float
    processor_seconds: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds - other.seconds, self.processor_seconds - other.processor_seconds)


def cost_of(process: psutil.Process, action: Callable[[], Any]) -> Cost:
    """Measure an action that this process does all the work of."""
    began, used = time.perf_counter(), process.cpu_times()
    action()
    now_used = process.cpu_times()
    return Cost(time.perf_counter() - began, now_used.user + now_used.system - used.user - used.system)


def run_job(cluster: MiniCluster, folder: Path) -> Cost:
    """Return the time that the job took over the records of a folder."""
    options = {"parallelism.default": "1", "execution.checkpointing.interval": "10 s"}
    environment = cluster.environment(options)
    define(environment, folder, POLICY, every_record=False)
    return cost_of(psutil.Process(cluster.process_id), lambda: environment.execute("notifications"))


def by_id(notifications: Sequence[Notification]) -> dict[str, Notification]:
    return {each.event_id: each for each in notifications}


def main() -> None:
    """Generate, run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--customers", type=int, default=90_000)
    arguments = parser.parse_args()
    known = customers(arguments.customers)
    events = happenings(arguments.events, arguments.customers)
    everything = [*known, *events]
    records = in_order(as_records(everything), everything)

    loop = Loop()
    loop.run(records[: len(known)])
    of_the_loop = cost_of(psutil.Process(), lambda: loop.run(records[len(known) :]))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, some in (("few", everything[:FEW]), ("known", [*known, *events[:FEW]]), ("all", everything)):
            write(folder / name, as_records(some))
        with mini_cluster(folder / "cluster") as cluster:
            run_job(cluster, folder / "few")
            few = run_job(cluster, folder / "few")
            customers_known = run_job(cluster, folder / "known")
            everything_told = run_job(cluster, folder / "all")
        found = sent(folder / "all")

    expected = [msgspec.json.decode(each, type=Notification) for each in loop.sent]
    if by_id(found) != by_id(expected) or len(found) != len(expected):
        raise SystemExit(f"the job and the loop don't agree: {len(found):,} and {len(expected):,} notifications")
    templates = ", ".join(f"{count:,} {name}" for name, count in Counter(each.template for each in expected).items())
    print(f"{len(events):,} events about {len(known):,} customers: {templates}; both sent the same")
    of_the_job, of_customers = everything_told - customers_known, customers_known - few
    rows = [
        ("events, loop", *rates(len(events), of_the_loop)),
        ("events, job", *rates(len(events), of_the_job)),
        ("customers, job", *rates(len(known), of_customers)),
    ]
    print(table(("one core, one slot", "a second", "a processor second"), rows))
    print(f"ratio {of_the_loop.seconds / of_the_job.seconds:.2f}, by processor seconds ", end="")
    print(f"{of_the_loop.processor_seconds / of_the_job.processor_seconds:.2f}")
    print(
        f"{everything_told.seconds:.1f} s in all; start and customers {customers_known.seconds:.1f} s, of which the ",
        end="",
    )
    print(f"start {few.seconds:.1f} s")


def rates(number: int, cost: Cost) -> tuple[str, str]:
    return f"{number / cost.seconds:,.0f}", f"{number / cost.processor_seconds:,.0f}"


if __name__ == "__main__":
    main()
