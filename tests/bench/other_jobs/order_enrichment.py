"""Measures order enrichment: the job on a mini-cluster against a plain Python loop, over the same records.

`python -m tests.bench.other_jobs.order_enrichment` prints a ratio; both in one run, since a machine's speed changes.
The loop decodes, checks, joins and encodes with msgspec, has all rows' versions in memory before the first order, and
keeps nothing over a crash. The job reads its records from files. It runs with few orders first, so that classes are
loaded and code is compiled, as they are in a job that has run for a while; then with few again, which is what starting
it and reading the versions takes, and with all. The ratio is of the last run as a whole, its start included.
"""

import argparse
import random
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.settings import Settings
from events import CustomerVersion, EnrichedLine, EnrichedOrder, Event, Order, ProductVersion
from jobs import order_enrichment
from jobs.environment import create_tables, variables
from tests.builders.events import customer, event_time, order, order_line, product
from tests.cluster.mini_cluster import MiniCluster, mini_cluster
from tests.cluster.records import read_records, write_records
from tests.cluster.topic_tables import create_table, declaration, over_files, record

CUSTOMERS, PRODUCTS, VERSIONS = 20_000, 2_000, 4
PARTITIONS = 4
SECONDS = 6 * 3_600
START = event_time("06:00:00")
TABLES = ("orders", "db_changes_customers", "db_changes_products", "db_changes_heartbeats")
TOPICS = (topics.ORDERS, topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES, topics.CAPTURE_HEARTBEATS)
FEW = 100
BOUND_MS = int(Settings().missing_data_hours) * 3_600_000


def versions(generator: random.Random, build: Any, kind: str, rows: int) -> list[Any]:
    """Return versions of rows; most rows are known from the beginning, one in a hundred from some later time."""
    found = []
    for number in range(rows):
        first = START - 1 if generator.random() < 0.99 else START + generator.randrange(SECONDS * 1000)
        moments = [first, *sorted(generator.randrange(first + 1, START + SECONDS * 1000) for _ in range(VERSIONS - 1))]
        for lsn, moment in enumerate(moments, start=1):
            key = f"{kind}{number}"
            found.append(build(key, lsn=lsn, name=f"{key} as of {lsn}", event_time=moment))
    return sorted(found, key=lambda version: version.event_time)


def placed_orders(generator: random.Random, number: int) -> list[Order]:
    """Return orders in the order of their times."""
    orders = []
    for each in range(number):
        lines = tuple(
            order_line(f"p{generator.randrange(PRODUCTS)}", line, generator.randint(1, 3))
            for line in range(1, generator.choice([1, 1, 2, 3, 5]) + 1)
        )
        moment = START + each * SECONDS * 1000 // number
        customer_id = f"c{generator.randrange(CUSTOMERS)}"
        orders.append(order(f"o{each}", event_time=moment, lines=lines, customer_id=customer_id))
    return orders


@dataclass(frozen=True)
class Row:
    """The versions of one row and their times, ascending."""

    times: list[int]
    versions: list[Any]

    def at(self, moment: int) -> Any:
        """Return the version that was valid then, or None."""
        place = bisect_right(self.times, moment)
        return self.versions[place - 1] if place else None

    def in_the_end(self, moment: int) -> Any:
        """As `at`, or what it became in time."""
        if known := self.at(moment):
            return known
        return self.versions[0] if self.times and self.times[0] <= moment + BOUND_MS else None


NOTHING = Row([], [])


def plain_loop(orders: Iterable[bytes], customers: Iterable[bytes], products: Iterable[bytes]) -> list[bytes]:
    """What the job does, for records in the order of their times."""
    customer_rows = rows_of(customers, CustomerVersion)
    product_rows = rows_of(products, ProductVersion)
    decode = msgspec.json.Decoder(Order).decode
    encode = msgspec.json.Encoder().encode
    seen: set[str] = set()
    encoded = []
    for value in orders:
        placed = decode(value)
        if placed.order_id in seen:
            continue
        seen.add(placed.order_id)
        moment = placed.event_time
        who = customer_rows.get(placed.customer_id, NOTHING)
        what = [product_rows.get(line.product_id, NOTHING) for line in placed.lines]
        row = enriched(placed, 1, who.at(moment), [each.at(moment) for each in what])
        encoded.append(encode(row))
        if not row.complete:
            last = enriched(placed, 2, who.in_the_end(moment), [each.in_the_end(moment) for each in what])
            if last.complete:
                encoded.append(encode(last))
    return encoded


def rows_of(values: Iterable[bytes], version_type: type[Any]) -> dict[str, Row]:
    """By primary key."""
    decode = msgspec.json.Decoder(version_type).decode
    rows: defaultdict[str, Row] = defaultdict(lambda: Row([], []))
    for value in values:
        version = decode(value)
        row = rows[version.customer_id if version_type is CustomerVersion else version.product_id]
        row.times.append(version.event_time)
        row.versions.append(version)
    return dict(rows)


def enriched(placed: Order, revision: int, who: CustomerVersion | None, what: Sequence[ProductVersion | None]) -> Any:
    """A row, of what is known."""
    lines = tuple(
        EnrichedLine(
            line_number=line.line_number,
            product_id=line.product_id,
            name=article.name if article else None,
            category=article.category if article else None,
            list_price_minor=article.price_minor if article else None,
            list_price_currency=article.currency if article else None,
            product_lsn=article.lsn if article else None,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            line_total_minor=line.quantity * line.unit_price_minor,
        )
        for line, article in zip(placed.lines, what, strict=True)
    )
    missing = [] if who else [f"customer:{placed.customer_id}"]
    missing += [f"product:{line.product_id}" for line in lines if line.name is None]
    total = sum(line.line_total_minor for line in lines)
    return EnrichedOrder(
        event_id=f"{placed.order_id}-{revision}",
        event_time=placed.event_time,
        revision=revision,
        complete=not missing,
        missing=tuple(dict.fromkeys(missing)),
        order_id=placed.order_id,
        customer_id=placed.customer_id,
        customer_name=who.name if who else None,
        customer_tier=who.tier if who else None,
        customer_country=who.country if who else None,
        customer_lsn=who.lsn if who else None,
        currency=placed.currency,
        total_minor=placed.total_minor,
        lines_total_minor=total,
        totals_agree=placed.total_minor == total,
        shipping_country=placed.shipping_country,
        lines=lines,
    )


def unmarked(row: EnrichedOrder) -> EnrichedOrder:
    """As if capture had come as far as every order: there is none here."""
    return msgspec.structs.replace(row, provisional=False)


def run_job(cluster: MiniCluster, folder: Path, parallelism: int) -> tuple[list[bytes], float]:
    """The job over the records of a folder: what it sent, and how many seconds it took."""
    options = {"parallelism.default": str(parallelism), "execution.checkpointing.interval": "10 s"}
    tables = StreamTableEnvironment.create(cluster.environment(options))
    for table in TABLES:
        declared = declaration(table, variables("bench", Settings()))
        create_tables(tables, [table], variables("bench", Settings()))
        # Watermarks as Kafka's source makes them, and not after every record, as tests need them.
        tables.execute_sql(over_files(table, declared, folder / table).replace("on-event", "on-periodic"))
    for table in order_enrichment.SINKS:
        create_table(tables, table, folder / table)
    tables.execute_sql(sql.read("tables/clock.sql", variables("bench", Settings())))
    tables.execute_sql("""
        CREATE TEMPORARY TABLE clock
        WITH ('connector' = 'datagen', 'number-of-rows' = '1', 'scan.parallelism' = '1', 'fields.tick.min' = '0')
        LIKE clock (EXCLUDING OPTIONS)
    """)
    job = order_enrichment.define(tables, Settings())
    began = time.perf_counter()
    job.execute().wait()
    seconds = time.perf_counter() - began
    return [each.value or b"" for each in read_records(folder / "enriched_orders_out")], seconds


def write(folder: Path, *events: Sequence[Event]) -> None:
    """Write the records of each table."""
    for table, topic, of_table in zip(TABLES, TOPICS, events, strict=True):
        keys = [getattr(event, topic.key) for event in of_table]
        records = [record(topic, event, hash(key) % PARTITIONS) for event, key in zip(of_table, keys, strict=True)]
        write_records(folder / table, records, PARTITIONS)


def main() -> None:
    """Generate, run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=300_000)
    parser.add_argument("--parallelism", type=int, default=2)
    arguments = parser.parse_args()
    generator = random.Random(1)
    customers = versions(generator, customer, "c", CUSTOMERS)
    products = versions(generator, product, "p", PRODUCTS)
    orders = placed_orders(generator, arguments.orders)
    encoded = [[msgspec.json.encode(event) for event in events] for events in (orders, customers, products)]

    began = time.perf_counter()
    of_the_loop = plain_loop(*encoded)
    loop_seconds = time.perf_counter() - began

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, some in (("few", orders[:FEW]), ("few again", orders[:FEW]), ("all", orders)):
            write(folder / name, some, customers, products, [])
        with mini_cluster(folder / "cluster") as cluster:
            run_job(cluster, folder / "few", arguments.parallelism)
            _, start_seconds = run_job(cluster, folder / "few again", arguments.parallelism)
            of_the_job, seconds = run_job(cluster, folder / "all", arguments.parallelism)

    decode = msgspec.json.Decoder(EnrichedOrder).decode
    found, expected = ({row.event_id: unmarked(row) for row in map(decode, rows)} for rows in (of_the_job, of_the_loop))
    if found != expected or len(of_the_job) != len(of_the_loop):
        raise SystemExit(f"the job and the loop don't agree: {len(of_the_job):,} and {len(of_the_loop):,} rows")
    incomplete = sum(row.revision == 2 for row in expected.values())
    lines = sum(len(each.lines) for each in orders)
    print(f"{len(orders):,} orders with {lines:,} lines, {incomplete:,} of them completed later; the rows are equal")
    print(f"loop  {len(orders) / loop_seconds:10,.0f} orders a second on one core")
    rate = len(orders) / seconds
    print(f"job   {rate:10,.0f} orders a second at parallelism {arguments.parallelism}")
    print(f"      {seconds:10.1f} seconds, of which {start_seconds:.1f} with {FEW} orders")
    print(f"ratio {rate * loop_seconds / len(orders):10.2f}")


if __name__ == "__main__":
    main()
