"""`sliding_features` in a real job gives the rows of its reference, refuses wrong arguments, and restores its state."""

import json
import math
import random
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Row, Types
from pyflink.datastream import ProcessFunction
from pyflink.table import StreamTableEnvironment, TableDescriptor
from pyflink.table.expressions import col

from local.oracles.features import InputEvent, OutputRow, ReferenceFeatures, Value
from tests.builders.wrong_declarations import COLUMNS as WRONG_COLUMNS
from tests.builders.wrong_declarations import WRONG_DECLARATIONS
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.running_query import RunningQuery
from udfs.fraud.features import OUTPUT_FLAGS, Feature, Kind, parse_declaration

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = 1_700_000_000_000

COLUMNS: dict[str, tuple[str, Kind]] = {
    "card_id": ("STRING", "text"),
    "payment_id": ("STRING", "text"),
    "sequence": ("BIGINT", "integer"),
    "tiny": ("TINYINT", "integer"),
    "medium": ("INT", "integer"),
    "amount_minor": ("BIGINT", "integer"),
    "rate": ("DOUBLE", "double"),
    "share": ("FLOAT", "double"),
    "latitude": ("DOUBLE", "double"),
    "longitude": ("DOUBLE", "double"),
    "country": ("CHAR(2)", "text"),
    "merchant_id": ("STRING", "text"),
    "status": ("STRING", "text"),
}
EVERYTHING = """
    count_10s = count() over 10 seconds
    count_24h = count() over 24 hours
    declined_1h = count() over 1 hour where status = 'declined'
    sum_1m = sum(amount_minor) over 1 minute
    sum_24h = sum(amount_minor) over 24 hours
    sum_tiny_1h = sum(tiny) over 1 hour where country = 'FR'
    sum_rate_1h = sum(rate) over 1 hour
    min_amount_1h = min(amount_minor) over 1 hour, max_amount_1h = max(amount_minor) over 1 hour
    min_tiny_1m = min(tiny) over 1 minute, max_medium_24h = max(medium) over 24 hours
    min_share_1h = min(share) over 1 hour, max_rate_1h = max(rate) over 1 hour where status = 'declined'
    avg_amount_24h = avg(amount_minor) over 24 hours, avg_share_1m = avg(share) over 1 minute
    countries_1h = distinct(country) over 1 hour
    countries_declined_24h = distinct(country) over 24 hours where status = 'declined'
    merchants_24h = distinct(merchant_id) over 24 hours
    payments_1h = distinct(payment_id) over 1 hour
    amounts_1h = distinct(amount_minor) over 1 hour, rates_24h = distinct(rate) over 24 hours
    previous_country = previous(country), previous_payment = previous(payment_id)
    previous_tiny = previous(tiny), previous_share = previous(share)
    previous_declined_amount = previous(amount_minor) where status = 'declined'
    seconds_from_previous = seconds_since_previous()
    seconds_from_declined = seconds_since_previous() where status = 'declined'
    km_from_previous = distance_km_from_previous(latitude, longitude)
    recent_payments = recent(payment_id, 5) over 1 hour
    recent_merchants_declined = recent(merchant_id, 50) over 24 hours where status = 'declined'
"""
SHORT_WINDOWS = """
    count_1m = count() over 1 minute
    sum_10s = sum(amount_minor) over 10 seconds
    merchants_1m = distinct(merchant_id) over 1 minute
    recent_countries_1m = recent(country, 3) over 1 minute
"""


@dataclass(frozen=True)
class Arrival:
    """An event of a card, as it arrives in the stream."""

    card: str | None
    event: InputEvent


def parse(declaration: str) -> tuple[Feature, ...]:
    return parse_declaration(declaration, {name: kind for name, (_, kind) in COLUMNS.items()})


def arrival(card: str | None, time: int, payment: str | None, sequence: int, **columns: Any) -> Arrival:
    known = {"card_id": card, "payment_id": payment, "sequence": sequence}
    return Arrival(card, InputEvent(time, payment, dict.fromkeys(COLUMNS) | columns | known))


def record(item: Arrival) -> Record:
    value = {name: value for name, value in item.event.columns.items() if value is not None}
    partition = sum((item.card or "").encode()) % 2
    return Record(json.dumps(value).encode(), timestamp=item.event.time, partition=partition)


def declare_payments(
    environment: StreamTableEnvironment, folder: Path, stay_open: bool = False, watermark: str = "event_time"
) -> None:
    columns = ",\n".join(f"{name} {sql_type}" for name, (sql_type, _) in COLUMNS.items())
    environment.execute_sql(f"""
        CREATE TABLE payments (
            {columns},
            event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR event_time AS {watermark}
        ) WITH (
            'connector' = 'records', 'path' = '{folder}', 'topic' = 'payments', 'value.format' = 'json',
            'scan.watermark.emit.strategy' = 'on-event', 'stay-open' = '{str(stay_open).lower()}'
            {", 'scan.watermark.idle-timeout' = '1 s'" if stay_open else ""}
        )
    """)
    declare_function(environment)


def declare_function(environment: StreamTableEnvironment) -> None:
    environment.execute_sql("""
        CREATE TEMPORARY SYSTEM FUNCTION sliding_features AS 'millrace.features.SlidingFeatures' LANGUAGE JAVA
    """)


def query(declaration: str, max_events: int = 1000, table: str = "payments") -> str:
    return f"""
        SELECT *
        FROM sliding_features(
            input => TABLE {table} PARTITION BY card_id,
            features => '{declaration.replace("'", "''")}',
            id => 'payment_id',
            max_events => {max_events},
            on_time => DESCRIPTOR(event_time),
            uid => 'payment-features'
        )
    """


def answers(
    cluster: MiniCluster, folder: Path, arrivals: Iterable[Arrival], declaration: str, max_events: int = 1000
) -> dict[int, OutputRow]:
    """Return the output of the function for each event, by its sequence number.

    Rows go through files: PyFlink's `collect` takes longer than the job. Checkpoints complete the files. No watermark
    goes far enough for a key to be forgotten.
    """
    environment = StreamTableEnvironment.create(cluster.environment({"execution.checkpointing.interval": "500 ms"}))
    payments = write_records(folder / "payments", map(record, arrivals), partitions=2)
    declare_payments(environment, payments, watermark="event_time - INTERVAL '10' YEAR")
    rows = environment.sql_query(query(declaration, max_events)).drop_columns(col("event_time"), col("rowtime"))
    sink = TableDescriptor.for_connector("filesystem").option("path", (folder / "answers").as_uri()).format("json")
    rows.execute_insert(sink.build()).wait()
    lines = [line for file in (folder / "answers").iterdir() for line in file.read_text().splitlines()]
    return dict(as_output(json.loads(line), declaration) for line in lines)


def as_output(fields: Mapping[str, Any], declaration: str) -> tuple[int, OutputRow]:
    features = {feature.name: fields[feature.name] for feature in parse(declaration)}
    return fields["sequence"], OutputRow(features, *(fields[flag] for flag in OUTPUT_FLAGS))


class RandomCard:
    """Events of one card: ties, duplicates, disorder, late ones, gaps, and times on the edges of windows."""

    def __init__(self, card: str | None, generator: random.Random) -> None:
        self._card = card
        self._random = generator
        self._past: list[InputEvent] = []

    def next(self, sequence: int) -> Arrival:
        if self._past and self._random.random() < 0.1:
            found = self._duplicate(sequence)
        else:
            found = arrival(self._card, self._time(), self._payment_id(sequence), sequence, **self._columns())
        self._past.append(found.event)
        return found

    def _duplicate(self, sequence: int) -> Arrival:
        original = self._random.choice(self._past)
        time = original.time if self._random.random() < 0.7 else self._time()
        return arrival(self._card, time, original.id, sequence, **self._columns())

    def _time(self) -> int:
        if not self._past:
            return START + self._random.randrange(HOUR)
        newest = max(event.time for event in self._past)
        some = self._random.choice(self._past[-10:]).time
        edge = self._random.choice([-1, 0, 1])
        [time] = self._random.choices(
            [
                newest + self._random.randrange(20 * SECOND),
                some,
                some + self._random.choice([10 * SECOND, MINUTE, HOUR]) + edge,
                newest - self._random.randrange(2 * HOUR),
                newest - 24 * HOUR + edge,
                newest - MINUTE + edge,
                newest + 24 * HOUR + edge,
                newest - self._random.randrange(30 * HOUR),
            ],
            weights=[40, 10, 15, 15, 4, 4, 2, 4],
        )
        return time

    def _payment_id(self, sequence: int) -> str | None:
        return None if self._random.random() < 0.05 else f"payment-{sequence}"

    def _columns(self) -> dict[str, Any]:
        choose = self._random.choice
        return {
            "tiny": choose([None, -128, 0, 5, 127]),
            "medium": choose([None, -1, 2_000_000_000]),
            "amount_minor": choose([None, 100, 250, self._random.randrange(10_000), 2**62]),
            "rate": choose([None, 0.0, -0.0, 1.5, self._random.random()]),
            "share": choose([None, 0.25, 0.5, -1.75]),
            "latitude": choose([None, 0.0, 90.0, self._random.uniform(-90, 90), self._random.uniform(-90, 90)]),
            "longitude": choose([None, 0.0, self._random.uniform(-180, 180), self._random.uniform(-180, 180)]),
            "country": choose([None, "FR", "DE", "PT"]),
            "merchant_id": choose([None, "", "m1", "Ünïcode-Händler", f"m{self._random.randrange(200)}"]),
            "status": choose([None, "authorized", "declined"]),
        }


def random_arrivals(seed: int, cards: int, events_per_card: int) -> list[Arrival]:
    """Return events of cards that take turns at random; one card has no number."""
    generator = random.Random(seed)
    players = [RandomCard(f"card-{number}" if number else None, generator) for number in range(cards)]
    return [generator.choice(players).next(sequence) for sequence in range(cards * events_per_card)]


def expected_rows(
    arrivals: Iterable[Arrival], features: Sequence[Feature], max_events: int = 1000
) -> Iterator[OutputRow]:
    cards: dict[str | None, ReferenceFeatures] = {}
    for item in arrivals:
        card = cards.setdefault(item.card, ReferenceFeatures(features, max_events))
        yield card.process(item.event)


def same(expected: Value, actual: Value) -> bool:
    if isinstance(expected, float) and isinstance(actual, float):
        return math.isclose(expected, actual, rel_tol=1e-9, abs_tol=1e-9)
    return expected == actual


def difference(expected: OutputRow, actual: OutputRow) -> str | None:
    """Return the difference in words; None if the rows are the same."""
    pairs = {flag: (getattr(expected, flag), getattr(actual, flag)) for flag in OUTPUT_FLAGS}
    pairs |= {name: (value, actual.features[name]) for name, value in expected.features.items()}
    wrong = {name: pair for name, pair in pairs.items() if not same(*pair)}
    return "; ".join(f"{name} is {actual}, not {expected}" for name, (expected, actual) in wrong.items()) or None


def history(arrivals: Sequence[Arrival], card: str | None, until: int) -> str:
    return "\n".join(
        f"  {number}: {item.event.time - START:+} ms {item.event.columns}"
        for number, item in enumerate(arrivals[: until + 1])
        if item.card == card
    )


@dataclass(frozen=True)
class Scenario:
    """A size of random streams, and the features to compute."""

    name: str
    declaration: str
    max_events: int
    cards: int
    events_per_card: int


SCENARIOS = [
    Scenario("every aggregate", EVERYTHING, max_events=1000, cards=120, events_per_card=40),
    Scenario("histories at their bound", EVERYTHING, max_events=7, cards=120, events_per_card=40),
    Scenario("histories of one event", EVERYTHING, max_events=1, cards=50, events_per_card=20),
    Scenario("a retention of one minute", SHORT_WINDOWS, max_events=1000, cards=120, events_per_card=40),
    Scenario("long histories", EVERYTHING, max_events=60, cards=5, events_per_card=800),
]
ONLY_IN_FULL = {"histories at their bound"}
"""Others reach the bound, too: long histories and those of one event."""


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, marks=pytest.mark.full) if each.name in ONLY_IN_FULL else each for each in SCENARIOS],
    ids=lambda scenario: scenario.name,
)
def test_random_streams_get_the_features_of_the_reference(
    cluster: MiniCluster, tmp_path: Path, scenario: Scenario
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    arrivals = random_arrivals(seed, scenario.cards, scenario.events_per_card)

    actual = answers(cluster, tmp_path, arrivals, scenario.declaration, scenario.max_events)

    assert len(actual) == len(arrivals)
    expected_answers = expected_rows(arrivals, parse(scenario.declaration), scenario.max_events)
    for number, expected in enumerate(expected_answers):
        wrong = difference(expected, actual[number])
        card = arrivals[number].card
        assert wrong is None, f"seed {seed}, event {number} of {card}: {wrong}\n{history(arrivals, card, number)}"


@pytest.mark.parametrize(("declaration", "message"), WRONG_DECLARATIONS)
def test_wrong_declaration_fails_at_planning_with_place_and_remedy(
    wrong_calls: StreamTableEnvironment, declaration: str, message: str
) -> None:
    with pytest.raises(Py4JJavaError) as refusal:
        wrong_calls.sql_query(query(declaration))

    assert f"features: {message}\n" in str(refusal.value)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("id => 'payment_id'", "id => 'paiment_id'", "id: unknown column 'paiment_id'; did you mean 'payment_id'?"),
        (
            "id => 'payment_id'",
            "id => 'amount_minor'",
            "id needs text, but 'amount_minor' is an integer; cast it to STRING in a view",
        ),
        ("max_events => 9", "max_events => 0", "max_events can't be 0; use a whole number from 1 to 10000"),
        ("max_events => 9", "max_events => 10001", "max_events can't be 10001; use a whole number from 1 to 10000"),
        ("on_time => DESCRIPTOR(event_time),", "", "Table argument 'input' requires a time attribute"),
        ("PARTITION BY card_id", "", "Table argument 'input' requires a PARTITION BY clause"),
    ],
)
def test_wrong_argument_fails_at_planning(
    wrong_calls: StreamTableEnvironment, right: str, wrong: str, message: str
) -> None:
    correct = query("n = count() over 1 hour", max_events=9)

    with pytest.raises(Py4JJavaError) as refusal:
        wrong_calls.sql_query(correct.replace(right, wrong))

    assert message in str(refusal.value)


@pytest.fixture(scope="module")
def wrong_calls(cluster: MiniCluster) -> StreamTableEnvironment:
    """An environment for queries over the table that the wrong declarations are made over."""
    environment = StreamTableEnvironment.create(cluster.environment())
    columns = ", ".join(f"{name} {sql_type}" for name, (sql_type, _) in WRONG_COLUMNS.items())
    environment.execute_sql(f"""
        CREATE TABLE payments ({columns}, WATERMARK FOR event_time AS event_time) WITH ('connector' = 'datagen')
    """)
    declare_function(environment)
    return environment


def test_output_has_input_then_features_then_flags_then_row_time(
    wrong_calls: StreamTableEnvironment,
) -> None:
    declaration = "n = count() over 1 hour, s = sum(latitude) over 1 hour, r = recent(payment_id, 3) over 1 hour"

    wrong_calls.execute_sql(f"CREATE TEMPORARY VIEW answers AS {query(declaration)}")
    with wrong_calls.execute_sql("DESCRIBE answers").collect() as rows:
        columns = {row[0]: f"{row[1]}{'' if row[2] else ' NOT NULL'}" for row in rows}

    assert list(columns)[: len(WRONG_COLUMNS)] == list(WRONG_COLUMNS)
    assert list(columns.items())[len(WRONG_COLUMNS) :] == [
        ("n", "BIGINT NOT NULL"),
        ("s", "DOUBLE NOT NULL"),
        ("r", "ARRAY<STRING>"),
        ("is_duplicate", "BOOLEAN NOT NULL"),
        ("is_late", "BOOLEAN NOT NULL"),
        ("is_truncated", "BOOLEAN NOT NULL"),
        ("rowtime", "TIMESTAMP_LTZ(3) *ROWTIME* NOT NULL"),
    ]


class TimesAndWatermarks(ProcessFunction):  # type: ignore[misc]
    """Emits the time of each row, and the watermark at that moment."""

    def process_element(self, row: Row, context: ProcessFunction.Context) -> Iterator[str]:
        """Yield one text for each row."""
        watermark = context.timer_service().current_watermark()
        yield f"{row[0]}: {context.timestamp() - START} after {max(watermark - START, -1)}"


def test_stream_of_the_output_has_its_times_and_watermarks(cluster: MiniCluster, tmp_path: Path) -> None:
    arrivals = [arrival("c1", START + second * SECOND, f"p{second}", second) for second in (1, 2, 3)]
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    declare_payments(environment, write_records(tmp_path / "payments", map(record, arrivals)))

    rows = environment.sql_query(f"SELECT payment_id, rowtime FROM ({query('n = count() over 1 hour')})")
    stream = environment.to_data_stream(rows).process(TimesAndWatermarks(), Types.STRING())

    with stream.execute_and_collect() as seen:
        assert list(seen) == ["p1: 1000 after -1", "p2: 2000 after 1000", "p3: 3000 after 2000"]


def test_text_longer_than_a_kibibyte_counts_as_null(cluster: MiniCluster, tmp_path: Path) -> None:
    long_name = "x" * 1_025
    declaration = (
        "names = distinct(merchant_id) over 1 hour, last_name = previous(merchant_id), n = count() over 1 hour"
    )
    arrivals = [
        arrival("c1", START, long_name, 0, merchant_id=long_name),
        arrival("c1", START, long_name, 1, merchant_id=long_name[1:]),
        arrival("c1", START, "p", 2),
    ]

    actual = answers(cluster, tmp_path, arrivals, declaration)

    assert [row.features["names"] for row in in_order(actual)] == [0, 1, 1]
    assert [row.features["last_name"] for row in in_order(actual)] == [None, None, long_name[1:]]
    assert [row.features["n"] for row in in_order(actual)] == [1, 2, 3]
    assert not any(row.is_duplicate for row in actual.values())


def in_order(rows: Mapping[int, OutputRow]) -> list[OutputRow]:
    return [rows[sequence] for sequence in sorted(rows)]


class RunningFeatures(RunningQuery):
    """A query of features with a bound of 3 events."""

    def __init__(self, cluster: MiniCluster, folder: Path, declaration: str, savepoint: str | None = None) -> None:
        self._names = [feature.name for feature in parse(declaration)]
        columns = ", ".join([*OUTPUT_FLAGS, *self._names])
        super().__init__(
            cluster,
            lambda environment: declare_payments(environment, folder, stay_open=True),
            f"SELECT {columns} FROM ({query(declaration, max_events=3)})",
            savepoint,
        )

    def answer(self) -> OutputRow:
        """Return the next row."""
        is_duplicate, is_late, is_truncated, *values = self.next_row()
        return OutputRow(dict(zip(self._names, values, strict=True)), is_duplicate, is_late, is_truncated)


def test_restored_job_keeps_the_history_of_each_card(cluster: MiniCluster, tmp_path: Path) -> None:
    declaration = "n = count() over 1 hour, previous_country = previous(country), r = recent(payment_id, 5) over 1 hour"
    before = [
        arrival("c1", START, "a", 0, country="FR"),
        arrival("c1", START + SECOND, "b", 1, country="DE"),
    ]
    after = [
        arrival("c1", START + SECOND, "b", 2, country="DE"),
        arrival("c1", START + 2 * SECOND, "c", 3, country="PT"),
    ]
    expected = list(expected_rows([*before, *after], parse(declaration), max_events=3))
    folder = write_records(tmp_path / "payments", map(record, before), partitions=2)

    first = RunningFeatures(cluster, folder, declaration)
    answers_before = [first.answer(), first.answer()]
    savepoint = first.stop()
    write_records(folder, map(record, after), first_offset=2)
    second = RunningFeatures(cluster, folder, declaration, savepoint)
    answers_after = [second.answer(), second.answer()]
    second.stop()

    assert [*answers_before, *answers_after] == expected


def test_late_payment_after_a_restart_gets_features_of_its_card_s_history(cluster: MiniCluster, tmp_path: Path) -> None:
    declaration = "n = count() over 1 hour"
    before = [arrival("c1", START + HOUR, "a", 0), arrival("c1", START + HOUR + 30 * MINUTE, "b", 1)]
    after = [
        arrival("c1", START + HOUR + 10 * MINUTE, "minutes late", 2),
        arrival("c1", START + 29 * MINUTE, "older than the window", 3),
        arrival("c1", START + HOUR + 65 * MINUTE, "in time", 4),
    ]
    expected = list(expected_rows([*before, *after], parse(declaration), max_events=3))
    folder = write_records(tmp_path / "payments", map(record, before))

    first = RunningFeatures(cluster, folder, declaration)
    rows = [first.answer() for _ in before]
    savepoint = first.stop()
    write_records(folder, map(record, after), first_offset=2)
    second = RunningFeatures(cluster, folder, declaration, savepoint)
    rows += [second.answer() for _ in after]
    second.stop()

    assert rows == expected
    assert [row.features["n"] for row in rows] == [1, 2, 2, 0, 3]
    assert [row.is_late for row in rows] == [False, False, False, True, False]


def test_changed_declaration_keeps_stored_data_and_flags_missing_events(cluster: MiniCluster, tmp_path: Path) -> None:
    old = "n = count() over 1 minute, c = distinct(country) over 1 minute, m = max(amount_minor) over 1 minute"
    new = "m = max(amount_minor) over 1 minute, s = sum(medium) over 1 minute, n = count() over 1 minute"
    before = [
        arrival("c1", START, "a", 0, amount_minor=7, medium=1, country="FR"),
        arrival("c1", START + SECOND, "b", 1, amount_minor=5, medium=1, country="DE"),
    ]
    after = [
        arrival("c1", START + 2 * SECOND, "c", 2, amount_minor=6, medium=1),
        arrival("c1", START + 61 * SECOND, "d", 3, amount_minor=6, medium=1),
        arrival("c1", START + 61 * SECOND, "c", 4),
    ]
    folder = write_records(tmp_path / "payments", map(record, before), partitions=2)

    first = RunningFeatures(cluster, folder, old)
    first.answer()
    first.answer()
    savepoint = first.stop()
    write_records(folder, map(record, after), first_offset=2)
    second = RunningFeatures(cluster, folder, new, savepoint)
    rows = [second.answer() for _ in after]

    assert [row.features for row in rows] == [
        {"m": 7, "s": 1, "n": 3},
        {"m": 6, "s": 2, "n": 2},
        {"m": 6, "s": 2, "n": 2},
    ]
    assert [row.is_truncated for row in rows] == [True, False, False]
    assert [row.is_duplicate for row in rows] == [False, False, True]
    second.wait_for_metrics(states_migrated=1, duplicates=1, late=0)
    second.stop()


def test_duplicates_late_and_dropped_events_are_counted(cluster: MiniCluster, tmp_path: Path) -> None:
    """Count duplicates, late events, and those beyond the bound of 3 events."""
    arrivals = [
        *[arrival("c1", START + n, f"p{n}", n) for n in range(5)],
        arrival("c1", START, "p3", 5),
        arrival("c1", START - HOUR - 1, "too late", 6),
        arrival("c1", START + HOUR + 5, "long after", 7, merchant_id="x" * 2_000),
    ]
    folder = write_records(tmp_path / "payments", map(record, arrivals), partitions=2)

    job = RunningFeatures(cluster, folder, "n = count() over 1 hour, m = distinct(merchant_id) over 1 hour")
    for _ in arrivals:
        job.answer()

    job.wait_for_metrics(duplicates=1, late=1, truncated=2, oversized_texts=1, states_migrated=0)
    job.stop()


def test_key_is_forgotten_in_event_time_a_day_after_its_last_window(cluster: MiniCluster, tmp_path: Path) -> None:
    declaration = "n = count() over 1 hour"
    before = [
        arrival("c1", START, "a", 0),
        arrival("c1", START + 2 * HOUR, "b", 1),
        arrival("c3", START + 26 * HOUR, "c", 2),
    ]
    remembered = [
        arrival("c1", START + 2 * HOUR + 1, "d", 3),
        arrival("c3", START + 28 * HOUR, "e", 4),
    ]
    after = [arrival("c1", START + 2 * HOUR + 2, "f", 5)]
    folder = write_records(tmp_path / "payments", map(record, before))

    first = RunningFeatures(cluster, folder, declaration)
    counts = [[first.answer().features["n"] for _ in before]]
    savepoint = first.stop()
    write_records(folder, map(record, remembered), first_offset=3)
    second = RunningFeatures(cluster, folder, declaration, savepoint)
    # Two subtasks answer, in any order.
    counts += [sorted(second.answer().features["n"] for _ in remembered)]
    second.wait_for_metrics(forgotten_keys=1)
    savepoint = second.stop()
    write_records(folder, map(record, after), first_offset=5)
    third = RunningFeatures(cluster, folder, declaration, savepoint)
    counts += [[third.answer().features["n"]]]
    third.stop()

    assert counts == [[1, 1, 1], [1, 2], [1]]


def test_card_of_an_idle_partition_is_kept_until_others_are_a_day_ahead(cluster: MiniCluster, tmp_path: Path) -> None:
    # Partition 0 has c1 alone; a forgotten c4 shows how far the other partitions have advanced event time.
    idle, others = arrival("c1", START, "a", 0), [arrival("c4", START - 10 * HOUR, "b", 1)]
    others += [arrival("c2", START + 20 * HOUR, "c", 2), arrival("c2", START + 27 * HOUR, "e", 4)]
    folder = write_records(tmp_path / "payments", map(record, [idle, *others[:2]]))
    job = RunningFeatures(cluster, folder, "n = count() over 1 hour")
    counts = [sorted(job.answer().features["n"] for _ in range(3))]

    job.wait_for_metrics(forgotten_keys=1)
    write_records(folder, [record(arrival("c1", START + SECOND, "d", 3))], first_offset=1)
    counts += [[job.answer().features["n"]]]
    write_records(folder, [record(others[2])], first_offset=2)
    counts += [[job.answer().features["n"]]]
    job.wait_for_metrics(forgotten_keys=2)
    write_records(folder, [record(arrival("c1", START + 2 * SECOND, "f", 5))], first_offset=2)
    counts += [[job.answer().features["n"]]]
    job.stop()

    assert counts == [[1, 1, 1], [2], [1], [1]]


def test_state_of_an_unknown_version_is_refused(cluster: MiniCluster, tmp_path: Path) -> None:
    folder = write_records(tmp_path / "payments", [record(arrival("c1", START, "a", 0))], partitions=2)
    first = RunningFeatures(cluster, folder, "n = count() over 1 hour")
    first.answer()
    savepoint = first.stop()
    change_version(savepoint, layout=b"id payment_id", version=9)
    write_records(folder, [record(arrival("c1", START, "b", 1))], first_offset=1)

    second = RunningFeatures(cluster, folder, "n = count() over 1 hour", savepoint)

    with pytest.raises(Exception, match="the state of sliding_features has version 9, this release reads version 1: "):
        second.answer()


def change_version(savepoint: str, layout: bytes, version: int) -> None:
    """Change the version of the only state value in a savepoint; small state is in the metadata file."""
    metadata = Path(savepoint.removeprefix("file:")) / "_metadata"
    rest = struct.pack("<H", len(layout)) + layout
    assert metadata.read_bytes().count(b"\x01" + rest) == 1
    metadata.write_bytes(metadata.read_bytes().replace(b"\x01" + rest, bytes([version]) + rest))
