"""Measures the load of the warehouse: the job on a mini-cluster against a plain psycopg loop, the same rows into the
same tables with the same triggers.

`python -m tests.bench.other_jobs.warehouse` prints ratios; both in one run, since a machine's speed changes, and
in turns, of which the middle one counts. The loop decodes with msgspec and upserts in batches over one connection, in
whichever of two ways is faster: statements of many rows, or `executemany`, which psycopg pipelines. It keeps no place
in a topic. The job has one slot and one connection a table. Its clock starts when it is submitted, so its start counts
and the planning doesn't.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
from psycopg import sql

from connectors.postgres.client import Connection, connecting
from connectors.settings import Settings
from events import EnrichedLine, EnrichedOrder, Event, Payment
from jobs import warehouse
from ops.formats import table
from ops.warehouse import database as warehouse_operations
from tests.builders.events import enriched_line, enriched_order, event_time, payment
from tests.cluster.mini_cluster import MiniCluster, mini_cluster
from tests.cluster.warehouse.warehouse_loader import Loader
from tests.services.lone_postgres import lone_postgres

BATCH = 2000
"""Rows that the loop commits at once, about as many as the job does."""
ROWS_OF_STATEMENT = 500
"""Rows of one statement; more are no faster."""
START = event_time("06:00:00")

T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]
"""Rows by table."""

COLUMNS = {
    "fact_payment": [name for name in Payment.__struct_fields__ if name not in {"event_type", "event_time"}],
    "fact_order": [
        "event_id",
        "revision",
        "complete",
        "order_id",
        "customer_id",
        "customer_lsn",
        "currency",
        "total_minor",
        "lines_total_minor",
        "totals_agree",
        "shipping_country",
    ],
    "fact_order_line": list(EnrichedLine.__struct_fields__),
}
"""Columns by table; they have the names of fields, except the event's time."""
KEYS = {"fact_payment": ["payment_id"], "fact_order": ["order_id"], "fact_order_line": ["order_id", "line_number"]}
OF_ORDER = ["order_id", "revision", "currency"]


def payments(number: int) -> list[Event]:
    """Return payments; one in twenty is tried again."""
    ids = [f"p{each - 1 if each % 20 == 1 else each}" for each in range(number)]
    return [
        payment(f"c{each % 5000}", payment_id=payment_id, event_id=f"e{each}", event_time=START + each)
        for each, payment_id in enumerate(ids)
    ]


def orders(number: int) -> list[Event]:
    """Return orders of 2.5 lines on average; one in twenty has a second revision, too."""
    generator = Random(1)
    made: list[Event] = []
    for each in range(number):
        lines = tuple(enriched_line(n + 1, f"p{generator.randrange(2000)}") for n in range(generator.randint(1, 4)))
        made.append(enriched_order(f"o{each}", event_time=START + each, lines=lines))
        if each % 20 == 0:
            made.append(enriched_order(f"o{each}", event_time=START + each, revision=2, lines=lines))
    return made


def rows_of(events: Sequence[Event]) -> Rows:
    """Return the rows that the loop writes for some events."""
    rows: Rows = {}
    for event in events:
        at = datetime.fromtimestamp(event.event_time / 1000, UTC)
        if isinstance(event, Payment):
            rows.setdefault("fact_payment", []).append((at, *_values(event, COLUMNS["fact_payment"])))
        elif isinstance(event, EnrichedOrder):
            rows.setdefault("fact_order", []).append((at, *_values(event, COLUMNS["fact_order"])))
            of_order = _values(event, OF_ORDER)
            rows.setdefault("fact_order_line", []).extend(
                (at, *of_order, *_values(line, COLUMNS["fact_order_line"])) for line in event.lines
            )
    return rows


def _values(record: Any, names: Sequence[str]) -> list[Any]:
    return [getattr(record, name) for name in names]


@cache
def upsert(name: str, rows: int) -> bytes:
    """Return a statement for this number of rows."""
    columns = ["event_time", *(OF_ORDER if name == "fact_order_line" else []), *COLUMNS[name]]
    row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES {} ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier("warehouse", name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([row] * rows),
        sql.SQL(", ").join(map(sql.Identifier, KEYS[name])),
        sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column)) for column in columns),
    )
    return statement.as_bytes(None)


def parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Split items into parts of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def many_rows(connection: Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Upsert by statements of many rows."""
    for part in parts(rows, ROWS_OF_STATEMENT):
        connection.execute(upsert(name, len(part)), [value for row in part for value in row], prepare=True)


def pipelined(connection: Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Upsert by a prepared statement of one row, repeatedly, without waiting for each answer."""
    with connection.cursor() as cursor:
        cursor.executemany(upsert(name, 1), rows)


WAYS: dict[str, Callable[[Connection, str, Sequence[tuple[Any, ...]]], None]] = {
    "many rows": many_rows,
    "executemany": pipelined,
}


def loop_seconds(settings: Settings, encoded: Sequence[bytes], kind: type[Event], way: str) -> float:
    """Return how long the loop takes."""
    decoder = msgspec.json.Decoder(kind)
    with connecting(warehouse_operations.address(settings), statement_seconds=600) as connection:
        started = time.monotonic()
        for part in parts(encoded, BATCH):
            written = rows_of([decoder.decode(value) for value in part])
            with connection.transaction():
                for name, rows in written.items():
                    WAYS[way](connection, name, rows)
        return time.monotonic() - started


def job_seconds(cluster: MiniCluster, settings: Settings, folder: Path, events: Sequence[Event]) -> float:
    """Return how long the job takes from its submission to its end."""
    result = Loader(cluster, settings, folder).defined(folder, events, {}).execute()
    started = time.monotonic()
    result.wait()
    return time.monotonic() - started


def empty(settings: Settings) -> None:
    """Truncate all tables, so that every turn begins alike."""
    with connecting(warehouse_operations.address(settings), statement_seconds=60) as connection:
        connection.execute("TRUNCATE " + ", ".join(f"warehouse.{target}" for target in warehouse.TARGETS))


def contents(settings: Settings) -> list[tuple[Any, ...]]:
    """Return counts and sums of the facts, to see that all of them wrote the same."""
    with connecting(warehouse_operations.address(settings), statement_seconds=60) as connection:
        return connection.execute("""
            SELECT count(*), sum(amount_minor) FROM warehouse.fact_payment
            UNION ALL SELECT count(*), sum(total_minor + revision) FROM warehouse.fact_order
            UNION ALL SELECT count(*), sum(line_total_minor + revision) FROM warehouse.fact_order_line
        """).fetchall()


def turns(cluster: MiniCluster, settings: Settings, events: Sequence[Event], number: int) -> dict[str, list[float]]:
    """Return the seconds of each turn, by contender."""
    encoded, kind = [msgspec.json.encode(event) for event in events], type(events[0])
    seconds: dict[str, list[float]] = defaultdict(list)
    wrote = []
    for turn in range(number):
        for way in WAYS:
            empty(settings)
            seconds[way].append(loop_seconds(settings, encoded, kind, way))
            wrote.append(contents(settings))
        empty(settings)
        with tempfile.TemporaryDirectory() as folder:
            seconds["job"].append(job_seconds(cluster, settings, Path(folder), events))
        wrote.append(contents(settings))
        print(f"turn {turn + 1} of {number} is done", flush=True)
    assert all(each == wrote[0] for each in wrote), "they did not write the same"
    return seconds


def report(name: str, rows: int, seconds: dict[str, list[float]]) -> float:
    """Print the rates; return the job's, divided by the faster loop's."""
    middle = {who: statistics.median(taken) for who, taken in seconds.items()}
    best = min(middle[way] for way in WAYS)
    print(f"{name}: {rows:,} rows")
    print(
        table(
            ("who", "rows a second", "turns in seconds"),
            [
                (who, f"{rows / middle[who]:,.0f}", taken)
                for who, taken in ((who, ", ".join(f"{each:.1f}" for each in taken)) for who, taken in seconds.items())
            ],
        )
    )
    return best / middle["job"]


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=300_000)
    options.add_argument("--turns", type=int, default=3)
    chosen = options.parse_args()
    kinds = {"payments": payments(chosen.events), "orders": orders(chosen.events // 4)}
    with (
        tempfile.TemporaryDirectory() as folder,
        lone_postgres() as stack,
        mini_cluster(Path(folder)) as cluster,
    ):
        settings = stack.setup.settings
        warehouse_operations.migrate(settings)
        Loader(cluster, settings, Path(folder, "warm")).load(*kinds["payments"][:1000], *kinds["orders"][:1000])
        for name, events in kinds.items():
            rows = sum(len(each) for each in rows_of(events).values())
            ratio = report(name, rows, turns(cluster, settings, events, chosen.turns))
            print(f"{name}: the job's rate is {ratio:.2f} of the faster loop's\n", flush=True)


if __name__ == "__main__":
    main()
