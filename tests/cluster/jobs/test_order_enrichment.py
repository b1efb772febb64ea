"""The enrichment job's topology, held against `local/oracles/orders.py`: bounded runs, and one that waits."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from events import CaptureHeartbeat, CustomerVersion, DeadLetter, EnrichedOrder, Event, Order, ProductVersion
from events.schemas import schema
from jobs import order_enrichment
from jobs.environment import SQL_OPTIONS, variables
from local.oracles.orders import OrderOracle, without_revision
from tests.builders.events import customer, event_time, heartbeat, order, order_line, product
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.running_query import recovery_from
from tests.cluster.topic_tables import create_table, declaration, over_files, record

TOPICS = {
    "orders": topics.ORDERS,
    "db_changes_customers": topics.CUSTOMER_CHANGES,
    "db_changes_products": topics.PRODUCT_CHANGES,
    "db_changes_heartbeats": topics.CAPTURE_HEARTBEATS,
}
SETTINGS = Settings(missing_data_hours="2")
NOW = time.time()


@dataclass(frozen=True)
class World:
    """Content of the topics in the order of arrival: records that are not late come in the order of time."""

    orders: Sequence[Order]
    customers: Sequence[CustomerVersion]
    products: Sequence[ProductVersion]
    bad_records: dict[str, list[Record]] = field(default_factory=dict)
    """Bad records by table."""
    heartbeats: Sequence[CaptureHeartbeat] = ()

    def write(self, folder: Path) -> Path:
        """Append all records; a key's partition is always the same."""
        for table, events in zip(TOPICS, self._events(), strict=True):
            records = [_record(TOPICS[table], event) for event in events] + self.bad_records.get(table, [])
            if table == "db_changes_heartbeats":
                # Kafka has one partition of heartbeats; both partitions here must be equally far.
                records += [replace(each, partition=1 - each.partition) for each in records]
            write_records(folder / table, records, partitions=2)
        return folder

    def _events(self) -> Sequence[Sequence[Event]]:
        return self.orders, self.customers, self.products, self.heartbeats

    def expected(self) -> list[EnrichedOrder]:
        """Return all rows, if no order is late."""
        oracle = OrderOracle(self.customers, self.products, int(SETTINGS.missing_data_hours))
        return sorted(oracle.enriched(self.orders), key=_id)


def _id(event: Event) -> str:
    return event.event_id


def _time(event: Event) -> int:
    return event.event_time


def _record(topic: Topic, event: Event) -> Record:
    return record(topic, event, partition=sum(str(getattr(event, topic.key)).encode()) % 2)


def define(tables: StreamTableEnvironment, folder: Path, stay_open: bool = False, wait: str = "5 s") -> Any:
    """Define the job over the records of a folder; the clock ticks once unless the sources stay open.

    Flink derives the uids from the graph: its counter of SQL operators continues within one JVM, so that a second plan
    here has other uids than the first. A submitted job is planned in a JVM of its own.
    """
    for table in TOPICS:
        create_table(tables, table, folder / table, stay_open)
    if stay_open:
        tables.execute_sql("DROP TEMPORARY TABLE db_changes_heartbeats")
        declared = declaration("db_changes_heartbeats", variables("test", SETTINGS))
        shadow = over_files("db_changes_heartbeats", declared, folder / "db_changes_heartbeats", stay_open)
        tables.execute_sql(shadow.replace("'1 s'", f"'{wait}'"))
    for table in order_enrichment.SINKS:
        create_table(tables, table, folder / table)
    tables.execute_sql(sql.read("tables/clock.sql", variables("test", SETTINGS)))
    if not stay_open:
        tables.execute_sql("""
            CREATE TEMPORARY TABLE clock
            WITH ('connector' = 'datagen', 'number-of-rows' = '1', 'scan.parallelism' = '1', 'fields.tick.min' = '0')
            LIKE clock (EXCLUDING OPTIONS)
        """)
    return order_enrichment.define(tables, SETTINGS)


def run(cluster: MiniCluster, folder: Path, **options: str) -> None:
    """Run the job to the end of the records."""
    define(StreamTableEnvironment.create(cluster.environment(options)), folder).execute().wait()


def enriched(folder: Path) -> list[EnrichedOrder]:
    """Return the rows by id, without marks, which depend on capture's progress when a row is emitted."""
    return sorted((msgspec.structs.replace(row, provisional=False) for row in marked(folder)), key=_id)


def marked(folder: Path) -> Iterator[EnrichedOrder]:
    """Yield the rows with marks."""
    for each in read_records(folder / "enriched_orders_out"):
        yield msgspec.json.decode(each.value or b"", type=EnrichedOrder)


def dead_letters(folder: Path) -> dict[str, DeadLetter]:
    """Return dead letters by the key of their record."""
    records = read_records(folder / "dead_letters_out")
    letters = [msgspec.json.decode(each.value or b"", type=DeadLetter) for each in records]
    assert len({letter.event_id for letter in letters}) == len(letters)
    return {(letter.source_key or b"").decode(): letter for letter in letters}


KNOWN = [customer(), product("p1", price=20), product("p2", price=5)]

PRICE_CHANGE = product("p1", "12:00:00", price=25, lsn=2)
TWICE_AT_ONCE = [product("tied", "11:00:00", price=1, lsn=1), product("tied", "11:00:00", price=2, lsn=2)]
SEEN_AGAIN = [*TWICE_AT_ONCE, TWICE_AT_ONCE[0]]
GONE = [product("gone", lsn=1), product("gone", "11:00:00", lsn=2, op="d", deleted=True)]
COMES_BACK = [
    product("back", lsn=1),
    product("back", "11:00:00", lsn=2, op="d", deleted=True),
    product("back", "12:30:00", lsn=3, op="c"),
]
COMES_LATER = [product("new", "13:00:00", lsn=1), product("new", "13:10:00", lsn=2)]
AT_THE_BOUND = [product("edge", "14:00:00", lsn=1)]
MOVES = [customer("mover", lsn=1), customer("mover", "12:00:00", lsn=2, country="FR", tier="gold")]
APPEARS = [customer("newcomer", "12:30:00", op="r"), customer("newcomer", "12:40:00", lsn=2)]


def order_of(order_id: str, at: str, *products_: str, **more: Any) -> Order:
    """Build an order of one piece of each product."""
    lines = tuple(order_line(each, number) for number, each in enumerate(products_, start=1))
    return order(order_id, at, lines=lines, **more)


CASES = {
    "before the price change": order_of("before", "11:59:59.999", "p1"),
    "at the price change": order_of("at", "12:00:00", "p1"),
    "after the price change": order_of("after", "12:00:00.001", "p1"),
    "three lines": order("three", lines=(order_line("p2", 7, 3, 4.5), order_line("p1", 3), order_line("p2", 9, 2, 5))),
    "tied versions": order_of("tied", "11:00:00", "tied"),
    "a deleted product": order_of("deleted", "11:00:00", "gone", "p1"),
    "before the deletion": order_of("before-deletion", "10:59:59.999", "gone"),
    "a product that comes back": order_of("returned", "12:00:00", "back"),
    "a product that comes later": order_of("later", "12:30:00", "p1", "new"),
    "a product that never comes": order_of("never", "12:00:00", "p1", "unheard-of"),
    "one of two comes": order_of("half", "12:30:00", "new", "unheard-of"),
    "twice the same unknown product": order("same", "12:30:00", lines=(order_line("new", 1), order_line("new", 2))),
    "just within the bound": order_of("within", "12:00:00", "edge"),
    "just out of the bound": order_of("out", "11:59:59.999", "edge"),
    "before the move": order_of("home", "11:00:00", "p1", customer_id="mover"),
    "after the move": order_of("moved", "13:00:00", "p1", customer_id="mover"),
    "a customer who comes later": order_of("newcomer", "12:00:00", "p1", customer_id="newcomer"),
    "customer and product come later": order_of("both", "12:00:00", "back", "p1", customer_id="newcomer"),
    "an unknown customer": order_of("stranger", "12:00:00", "p1", customer_id="stranger"),
    "totals that don't agree": order("wrong-total", quantity=2, price=20, total_minor=39_99),
    "for nothing": order("free", quantity=1, price=0),
}

DUPLICATE = CASES["three lines"]
OTHER_WITH_ITS_ID = order_of("three", "12:00:01", "p1", event_id="another-event")
TWO_LINES_ALIKE = order("alike", lines=(order_line("p1", 1), order_line("p2", 1)))
TOO_MUCH = order("too-much", lines=(order_line("p1", 1, 2**40, 2**30),), total_minor=0)

WORLD = World(
    orders=sorted([*CASES.values(), DUPLICATE, OTHER_WITH_ITS_ID, TWO_LINES_ALIKE, TOO_MUCH], key=_time),
    customers=sorted([KNOWN[0], *MOVES, *APPEARS], key=_time),  # type: ignore[list-item]
    products=sorted(
        [*KNOWN[1:], PRICE_CHANGE, *SEEN_AGAIN, *GONE, *COMES_BACK, *COMES_LATER, *AT_THE_BOUND],
        key=_time,
    ),  # type: ignore[arg-type]
    bad_records={
        "orders": [
            Record(b'{"order_id": "o1"', key=b"torn-order", timestamp=event_time("12:00:00")),
            Record(
                msgspec.json.encode(order("empty", lines=(), total_minor=0)),
                key=b"empty",
                timestamp=event_time("12:00:00"),
            ),
        ],
        "db_changes_customers": [Record(b"[]", key=b"no-customer", timestamp=event_time("12:00:00"))],
        "db_changes_products": [
            Record(
                msgspec.json.encode(product("p1", "12:00:00", lsn=9)).replace(b'"EUR"', b"1"),
                key=b"no-product",
                timestamp=event_time("12:00:00"),
            )
        ],
    },
)
GOOD = World(list(CASES.values()), WORLD.customers, WORLD.products)


@pytest.fixture(scope="module")
def world(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over `WORLD`."""
    folder = WORLD.write(tmp_path_factory.mktemp("world"))
    run(cluster, folder)
    return folder


def of(case: str, rows: Iterable[EnrichedOrder]) -> list[EnrichedOrder]:
    return [row for row in rows if row.order_id == CASES[case].order_id]


@pytest.mark.parametrize("case", CASES)
def test_case_gives_the_rows_of_the_oracle(world: Path, case: str) -> None:
    assert of(case, enriched(world)) == of(case, GOOD.expected())


def test_order_has_the_price_of_its_event_time(world: Path) -> None:
    prices = {
        case: [row.lines[0].list_price_minor for row in of(case, enriched(world))]
        for case in ("before the price change", "at the price change", "after the price change")
    }

    assert prices == {
        "before the price change": [20_00],
        "at the price change": [25_00],
        "after the price change": [25_00],
    }


def test_greater_lsn_wins_of_two_versions_of_one_time_even_if_repeated(world: Path) -> None:
    [row] = of("tied versions", enriched(world))

    assert (row.lines[0].list_price_minor, row.lines[0].product_lsn) == (2_00, 2)


def test_missing_rows_are_named_and_completed_as_revision_2(world: Path) -> None:
    first, second = of("customer and product come later", enriched(world))

    assert (first.complete, first.missing) == (False, ("customer:newcomer", "product:back"))
    assert (second.complete, second.missing, second.revision) == (True, (), 2)
    assert (second.customer_name, second.lines[0].name) == ("newcomer at 12:30:00", "back at 12:30:00")


def test_lines_keep_their_order_and_are_summed(world: Path) -> None:
    [row] = of("three lines", enriched(world))

    assert [(line.line_number, line.line_total_minor) for line in row.lines] == [(7, 13_50), (3, 20_00), (9, 10_00)]
    assert (row.lines_total_minor, row.totals_agree) == (43_50, True)


def test_order_whose_total_does_not_agree_is_flagged(world: Path) -> None:
    [row] = of("totals that don't agree", enriched(world))

    assert (row.total_minor, row.lines_total_minor, row.totals_agree) == (39_99, 40_00, False)


def test_repeated_order_and_another_with_its_id_emit_no_second_row(world: Path) -> None:
    assert len(of("three lines", enriched(world))) == 1


def test_unusable_record_of_each_source_is_a_dead_letter(world: Path) -> None:
    assert {key: (letter.source_topic, letter.rejected_by) for key, letter in dead_letters(world).items()} == {
        "torn-order": ("orders", "order_enrichment"),
        "empty": ("orders", "order_enrichment"),
        "alike": ("orders", "order_enrichment"),
        "too-much": ("orders", "order_enrichment"),
        "no-customer": ("db-changes.customers", "order_enrichment"),
        "no-product": ("db-changes.products", "order_enrichment"),
    }


def test_order_with_equal_line_numbers_is_a_dead_letter_byte_for_byte(world: Path) -> None:
    letter = dead_letters(world)["alike"]

    assert letter.reason == "lines: two have the same line_number"
    assert letter.payload == msgspec.json.encode(TWO_LINES_ALIKE)


def test_job_emits_no_other_row(world: Path) -> None:
    assert [row.event_id for row in enriched(world)] == [row.event_id for row in GOOD.expected()]


def test_row_has_the_key_and_time_of_its_order_and_fits_its_schema(world: Path) -> None:
    validator = jsonschema.Draft7Validator(schema(EnrichedOrder))
    for each in read_records(world / "enriched_orders_out"):
        row = msgspec.json.decode(each.value or b"", type=EnrichedOrder)
        validator.validate(msgspec.json.decode(each.value or b""))
        assert (each.key, each.timestamp) == (row.order_id.encode(), row.event_time)


def random_world(generator: random.Random, orders: int) -> World:
    """Return orders at most 4 seconds out of order, and rows that appear, change and vanish within six hours."""
    start, end = event_time("06:00:00"), event_time("12:00:00")
    version_counts = {f"{kind}{number}": generator.randint(0, 6) for kind in "cp" for number in range(30)}
    changes: dict[str, list[Any]] = {"c": [], "p": []}
    for key, count in version_counts.items():
        moments = sorted(generator.choices(range(start - 3_600_000, end, 60_000), k=count))
        for lsn, moment in enumerate(moments, start=1):
            build: Callable[..., Any] = customer if key[0] == "c" else product
            gone = generator.random() < 0.25
            version = build(key, lsn=lsn, name=f"{key}/{lsn}", op="d" if gone else "u", deleted=gone)
            version = msgspec.structs.replace(version, event_time=moment)
            changes[key[0]] += [version] * generator.choice([1, 1, 2])
    placed = []
    for number in range(orders):
        numbers = generator.sample(range(1, 9), generator.randint(1, 4))
        lines = tuple(order_line(f"p{generator.randint(0, 29)}", line, generator.randint(1, 3)) for line in numbers)
        moment = generator.randint(start, end) // 60_000 * 60_000 if number % 3 else generator.randint(start, end)
        customer_id = f"c{generator.randint(0, 29)}"
        each = order(f"o{number}", event_time=moment, lines=lines, customer_id=customer_id)
        placed += [each] * generator.choice([1, 1, 1, 2])
    placed.sort(key=lambda each: each.event_time + generator.randint(0, 4_000))
    return World(placed, *(sorted(changes[kind], key=lambda version: version.event_time) for kind in "cp"))


def test_random_world_gives_the_rows_of_the_oracle(cluster: MiniCluster, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    world = random_world(random.Random(seed), orders=3_000)

    run(cluster, world.write(tmp_path))

    expected = world.expected()
    assert sum(row.revision == 2 for row in expected) > 20
    assert enriched(tmp_path) == expected, f"seed {seed}"


class RunningEnrichment:
    """The job over records that waits for more to be appended; it is stopped with a savepoint."""

    def __init__(self, cluster: MiniCluster, folder: Path, wait: str = "5 s", savepoint: str | None = None) -> None:
        self._cluster, self._folder = cluster, folder
        options = {"execution.checkpointing.interval": "200 ms"} | (recovery_from(savepoint) if savepoint else {})
        tables = StreamTableEnvironment.create(cluster.environment(options))
        self._job = define(tables, folder, stay_open=True, wait=wait).execute().get_job_client()

    def wait_for_rows(self, *event_ids: str) -> None:
        """Wait until exactly these rows were emitted."""
        deadline = time.monotonic() + 60
        while (found := [row.event_id for row in enriched(self._folder)]) != sorted(event_ids):
            assert time.monotonic() < deadline, f"it sent {found}"
            time.sleep(0.1)

    def stop(self) -> str:
        """Stop the job, and return the savepoint's path."""
        return self._cluster.stop_with_savepoint(self._job)


def ago(minutes: float) -> str:
    """Return a moment before the tests began; a clock ticks only in the present."""
    return datetime.fromtimestamp(NOW - 60 * minutes, UTC).isoformat(timespec="milliseconds")


@pytest.fixture(scope="module")
def restored(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that was stopped with a savepoint and restarted, with late orders in its second input."""
    folder = tmp_path_factory.mktemp("restored")
    long_ago, price_change = ago(90), ago(30)
    before = World(
        orders=[order_of("early", ago(50), "p1", "new"), order_of("latest", ago(20), "p1")],
        customers=[customer(at=long_ago)],
        products=[product("p1", long_ago, 20), product("p2", long_ago), product("p1", price_change, 25, lsn=2)],
    )
    after = World(
        orders=[
            *before.orders,
            order_of("late", ago(40), "p1", "p2"),
            order_of("late-but-in-time", ago(25), "p1"),
        ],
        customers=[],
        products=[product("new", ago(10))],
    )
    job = RunningEnrichment(cluster, before.write(folder))
    job.wait_for_rows("early-1", "latest-1")
    savepoint = job.stop()
    after.write(folder)
    run(cluster, folder, **recovery_from(savepoint))
    return folder


def test_quiet_topic_delays_no_order_not_even_the_last(restored: Path) -> None:
    rows = {row.event_id: row for row in enriched(restored)}

    # The fixture has waited for these rows before anything was appended.
    assert rows["early-1"].missing == ("product:new",)
    assert rows["latest-1"].lines[0].list_price_minor == 25_00


def test_restored_job_completes_incomplete_orders_and_repeats_none(restored: Path) -> None:
    rows = [row for row in enriched(restored) if not row.order_id.startswith("late-") and row.order_id != "late"]

    assert [row.event_id for row in rows] == ["early-1", "early-2", "latest-1"]
    assert rows[1].lines[1].name == f"new at {ago(10)}"


def test_late_order_is_joined_at_once_with_the_versions_of_its_time(restored: Path) -> None:
    rows = {row.event_id: row for row in enriched(restored)}

    assert [line.list_price_minor for line in rows["late-1"].lines] == [20_00, 20_00]
    assert rows["late-1"].complete
    assert rows["late-but-in-time-1"].lines[0].list_price_minor == 25_00
    assert rows["late-but-in-time-1"].complete


CAPTURED_LATE = World(
    orders=[
        order_of("untouched", ago(80), "p1"),
        order_of("an-hour", ago(70), "p1"),
        order_of("a-deletion", ago(60), "p1", "gone"),
        order_of("minutes", ago(10), "p1", "p2", customer_id="mover"),
        order_of("seconds", ago(1), "p2"),
    ],
    customers=[customer(at=ago(100)), customer("mover", ago(100))],
    products=[product("p1", ago(100), 20), product("p2", ago(100), 5), product("gone", ago(100), 7)],
)
LATE_CHANGES = World(
    orders=[],
    customers=[customer("mover", ago(11), lsn=2, country="FR")],
    products=[
        product("p1", ago(75), 25, lsn=2),
        product("gone", ago(65), lsn=2, op="d", deleted=True),
        product("gone", ago(30), 8, lsn=3, op="c"),
        product("p1", ago(12), 30, lsn=3),
        product("p2", ago(1), 6, lsn=2),
    ],
)


@pytest.fixture(scope="module")
def corrected(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job with late changes: by an hour and more, by minutes, and by a minute."""
    folder = tmp_path_factory.mktemp("corrected")
    job = RunningEnrichment(cluster, CAPTURED_LATE.write(folder))
    job.wait_for_rows(*(f"{each.order_id}-1" for each in CAPTURED_LATE.orders))
    savepoint = job.stop()
    LATE_CHANGES.write(folder)
    run(cluster, folder, **recovery_from(savepoint))
    return folder


def in_the_end(folder: Path) -> list[EnrichedOrder]:
    """Return the last revision of each order, without its revision number."""
    last = {row.order_id: without_revision(row) for row in sorted(enriched(folder), key=lambda row: row.revision)}
    return sorted(last.values(), key=_id)


def test_late_version_corrects_the_orders_of_its_validity(corrected: Path) -> None:
    customers = [*CAPTURED_LATE.customers, *LATE_CHANGES.customers]
    products = [*CAPTURED_LATE.products, *LATE_CHANGES.products]
    oracle = OrderOracle(customers, products, int(SETTINGS.missing_data_hours))

    assert in_the_end(corrected) == sorted(map(oracle.in_the_end, CAPTURED_LATE.orders), key=_id)


def test_correction_is_one_more_revision_and_only_where_needed(corrected: Path) -> None:
    rows = {row.event_id: row for row in enriched(corrected)}

    assert [row.event_id for row in enriched(corrected) if row.order_id == "untouched"] == ["untouched-1"]
    assert [rows[f"an-hour-{each}"].lines[0].list_price_minor for each in (1, 2)] == [20_00, 25_00]
    assert rows["an-hour-2"].complete
    revisions = [row.revision for row in enriched(corrected) if row.order_id == "minutes"]
    assert sorted(revisions) == list(range(1, len(revisions) + 1))


def test_topic_replay_gives_the_same_last_revisions(corrected: Path, cluster: MiniCluster, tmp_path: Path) -> None:
    CAPTURED_LATE.write(tmp_path)
    LATE_CHANGES.write(tmp_path)

    run(cluster, tmp_path)

    assert in_the_end(tmp_path) == in_the_end(corrected)


def test_version_seconds_late_in_a_running_job_corrects_its_order(cluster: MiniCluster, tmp_path: Path) -> None:
    known = World([order_of("o", ago(0.5), "p1")], [customer(at=ago(100))], [product("p1", ago(100), 20)])

    job = RunningEnrichment(cluster, known.write(tmp_path))
    job.wait_for_rows("o-1")
    World([], [], [product("p1", ago(0.6), 25, lsn=2)]).write(tmp_path)
    job.wait_for_rows("o-1", "o-2")
    job.stop()

    rows = {row.event_id: row for row in enriched(tmp_path)}
    assert [rows[each].lines[0].list_price_minor for each in ("o-1", "o-2")] == [20_00, 25_00]


def test_order_waits_for_capture_and_is_marked_if_capture_stays_behind(cluster: MiniCluster, tmp_path: Path) -> None:
    captured, beyond = order_of("captured", ago(10), "p1"), order_of("beyond", ago(2), "p1")
    heartbeats = [heartbeat(ago(5), lsn=2), heartbeat(ago(30)), heartbeat(ago(5), lsn=2)]
    known = World([captured, beyond], [customer(at=ago(100))], [product("p1", ago(100), 20)], heartbeats=heartbeats)

    # GIVEN a job that waits for capture, which has reached five minutes ago, also if an older heartbeat follows
    job = RunningEnrichment(cluster, known.write(tmp_path), wait="10 min")
    job.wait_for_rows("captured-1")
    savepoint = job.stop()
    # WHEN the job stops waiting, and capture then resumes with a change
    job = RunningEnrichment(cluster, tmp_path, savepoint=savepoint)
    job.wait_for_rows("captured-1", "beyond-1")
    savepoint = job.stop()
    World([], [], [product("p1", ago(3), 25, lsn=2)], heartbeats=[heartbeat(ago(1), lsn=3)]).write(tmp_path)
    job = RunningEnrichment(cluster, tmp_path, savepoint=savepoint)
    job.wait_for_rows("captured-1", "beyond-1", "beyond-2")
    job.stop()

    rows = {row.event_id: row for row in marked(tmp_path)}
    assert [rows[each].provisional for each in ("captured-1", "beyond-1")] == [False, True]
    assert [rows[each].lines[0].list_price_minor for each in ("beyond-1", "beyond-2")] == [20_00, 25_00]


def test_every_operator_has_a_uid_and_every_topic_is_read_once(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = cluster.environment(SQL_OPTIONS)
    tables = StreamTableEnvironment.create(environment)
    define(tables, World([], [], []).write(tmp_path)).attach_as_datastream()

    graph = environment._j_stream_execution_environment.getStreamGraph(False)
    nodes = list(graph.getStreamNodes().toArray())
    names = [node.getOperatorName() for node in nodes]

    assert [node.getOperatorName() for node in nodes if not node.getTransformationUID()] == []
    assert {"order-customers", "order-products", "order-parts"} <= {node.getTransformationUID() for node in nodes}
    for kind, number in {"Source": 5, "ProcessTableFunction": 3, "Join": 0}.items():
        assert sum(name.startswith(kind) for name in names) == number, (kind, names)
