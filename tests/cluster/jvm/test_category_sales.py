"""`category_sales`: in any order of revisions, the last row of each minute is the sum of the last revisions."""

import random
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from pyflink.table import StreamTableEnvironment

from connectors.kafka import topics
from events import CategoryRevenue, EnrichedOrder
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define
from local.oracles.orders import last_revisions
from local.oracles.revenue import by_minute, last_of, without_zeros
from tests.builders.events import enriched_line, enriched_order, event_time
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import read_records, write_records
from tests.cluster.sql.test_sql_pipelines import loaded
from tests.cluster.topic_tables import over_files_in, record

PARTITIONS = 3


def revisions(generator: random.Random, number: int) -> list[EnrichedOrder]:
    """Return one to four revisions of an order; some lack a product, and a line's category may change."""
    moment = event_time("12:00:00") + generator.randrange(240_000)
    currency = generator.choice(["EUR", "JPY"])
    made = []
    for revision in range(1, generator.randint(1, 4) + 1):
        lines = tuple(
            enriched_line(
                line, f"p{line}", category=generator.choice(["books", "toys", "games"]), line_total_minor=1000 * line
            )
            for line in range(1, 2 + number % 3)
        )
        complete = generator.random() < 0.7
        more: dict[str, Any] = {"currency": currency, "lines": lines, "complete": complete}
        made.append(enriched_order(f"o{number}", event_time=moment, revision=revision, **more))
    return made


def shuffled(generator: random.Random, orders: Sequence[Sequence[EnrichedOrder]]) -> list[EnrichedOrder]:
    """Return revisions in random order, but those of each order in theirs, and some of them twice."""
    waiting = [list(each) for each in orders]
    arriving = []
    while waiting:
        order = generator.choice(waiting)
        arriving.append(order.pop(0))
        if generator.random() < 0.1:
            arriving.append(generator.choice(arriving))
        waiting = [each for each in waiting if each]
    return arriving


def emitted_revenue(cluster: MiniCluster, folder: Path, arriving: Sequence[EnrichedOrder]) -> list[CategoryRevenue]:
    """Return what the pipeline emits, corrections included."""
    records = [record(topics.ENRICHED_ORDERS, each, partition=int(each.order_id[1:]) % PARTITIONS) for each in arriving]
    write_records(folder / topics.ENRICHED_ORDERS.name, records, PARTITIONS)
    environment = StreamTableEnvironment.create(cluster.environment(SQL_OPTIONS))
    define(environment, over_files_in(loaded("revenue_per_minute"), folder)).execute().wait()
    assert not list(read_records(folder / topics.DEAD_LETTERS.name))
    return [
        msgspec.json.decode(each.value or b"", type=CategoryRevenue)
        for each in read_records(folder / topics.REVENUE.name)
    ]


def test_last_rows_are_sums_of_the_last_revisions_in_any_arrival_order(cluster: MiniCluster, tmp_path: Path) -> None:
    generator = random.Random(16)
    orders = [revisions(generator, number) for number in range(400)]
    expected = by_minute(last_revisions(chain.from_iterable(orders)).values())

    ends = []
    for attempt in range(2):
        rows = emitted_revenue(cluster, tmp_path / str(attempt), shuffled(generator, orders))
        last = without_zeros(last_of(rows))
        assert last == expected
        assert len(rows) > 2 * len(last), "nothing was corrected"
        ends.append({row.event_id: replace(row, event_time=0) for row in sorted(rows, key=lambda row: row.revision)})

    assert ends[0] == ends[1]
