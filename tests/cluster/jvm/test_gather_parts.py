"""`gather_parts` in a real job gives the rows of its reference, refuses wrong arguments, and restores its state."""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment, TableDescriptor

from local.oracles.gathered_parts import Gathered, Part, gathered
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.running_query import RunningQuery

QUERY = """
    SELECT order_id, whole, missing, line, amount, name, revision
    FROM gather_parts(
        input => TABLE order_parts PARTITION BY order_id,
        part => 'number',
        parts => 'parts',
        whole => 'whole',
        missing => 'missing',
        later => 'later',
        collected => 'line',
        summed => 'amount',
        moment => 'moment',
        open_hours => 24,
        ttl_hours => 48,
        uid => 'order-parts'
    )
"""


OPEN_MS = 24 * 3_600_000
"""Event time at which wholes of moment 0 are done."""


def declare(
    environment: StreamTableEnvironment,
    folder: Path | None = None,
    stay_open: bool = False,
    is_ever_idle: bool = True,
) -> None:
    """Create the table of parts over the records of a folder, and the function; with `stay_open` also a timed table."""
    options = {"connector": "datagen"}
    if folder:
        options = {"connector": "records", "path": str(folder), "topic": "order_parts", "value.format": "json"}
        options["stay-open"] = str(stay_open).lower()
    environment.execute_sql(f"""
        CREATE TABLE order_parts (
            order_id STRING,
            whole STRING,
            number INT,
            parts INT,
            missing STRING,
            later BOOLEAN,
            line ROW<place INT, label STRING>,
            amount BIGINT,
            name STRING,
            moment BIGINT
        ) WITH ({", ".join(f"'{name}' = '{value}'" for name, value in options.items())})
    """)
    environment.execute_sql("""
        CREATE TEMPORARY SYSTEM FUNCTION gather_parts AS 'millrace.parts.GatherParts' LANGUAGE JAVA
    """)
    environment.execute_sql("CREATE TEMPORARY VIEW weighed_parts AS SELECT *, 1 AS weight FROM order_parts")
    if not stay_open:
        return
    idle = ", 'scan.watermark.idle-timeout' = '1 s'" if is_ever_idle else ""
    environment.execute_sql(f"""
        CREATE TABLE timed_parts (
            recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR recorded_at AS recorded_at
        ) WITH ('scan.watermark.emit.strategy' = 'on-event'{idle}) LIKE order_parts
    """)
    environment.execute_sql("""
        CREATE TEMPORARY VIEW parts_in_time AS
        SELECT order_id, whole, number, parts, missing, later, line, amount, name, moment FROM timed_parts
    """)


def record(order: str, part: Part, timestamp: int = 0, partition: int | None = None) -> Record:
    fields = {name: value for name, value in asdict(part).items() if value is not None}
    partition = sum(order.encode()) % 2 if partition is None else partition
    return Record(json.dumps(fields | {"order_id": order}).encode(), timestamp=timestamp, partition=partition)


def row(fields: dict[str, Any]) -> Gathered:
    return Gathered(
        whole=fields["whole"],
        missing=fields["missing"],
        lines=fields["line"],
        amount=fields["amount"],
        name=fields["name"],
        revision=fields["revision"],
    )


def sent(cluster: MiniCluster, folder: Path, arrivals: Iterable[tuple[str, Part]]) -> dict[str, list[Gathered]]:
    """Return the emitted rows by key, the lower revision first.

    Rows go through files: PyFlink's `collect` can't hand over an array of rows. Checkpoints complete the files.
    """
    environment = StreamTableEnvironment.create(cluster.environment({"execution.checkpointing.interval": "500 ms"}))
    declare(environment, write_records(folder / "parts", (record(*each) for each in arrivals), partitions=2))
    sink = TableDescriptor.for_connector("filesystem").option("path", (folder / "rows").as_uri()).format("json")
    environment.sql_query(QUERY).execute_insert(sink.build()).wait()
    lines = [line for file in (folder / "rows").iterdir() for line in file.read_text().splitlines()]
    found: dict[str, list[Gathered]] = {}
    for fields in map(json.loads, lines):
        found.setdefault(fields["order_id"], []).append(row(fields))
    return {order: sorted(rows, key=lambda each: each.revision) for order, rows in found.items()}


def part(number: int, parts: int = 3, missing: str | None = None, **more: Any) -> Part:
    """Build a part: number 0 has a name, the others a line and an amount of ten times their number."""
    columns: dict[str, Any] = {"whole": "w1", "name": "Ada"}
    if number:
        columns = {"whole": "w1", "line": {"place": number, "label": f"line {number}"}, "amount": 10 * number}
    return Part(number=number, parts=parts, missing=missing, **(columns | more))


def later(number: int, parts: int = 3, **more: Any) -> Part:
    """Build the same part again, with the data that became known later."""
    columns: dict[str, Any] = {"name": "Ada, later"}
    if number:
        columns = {"line": {"place": number, "label": f"line {number}, later"}}
    return part(number, parts, later=True, **(columns | more))


CASES: dict[str, list[Part]] = {
    "in order": [part(0), part(1), part(2)],
    "backwards": [part(2), part(1), part(0)],
    "one part alone": [part(0, parts=1)],
    "a part never comes": [part(0), part(1)],
    "again and again": [part(0), part(0), part(1), part(2), part(2), part(0), part(1), part(2)],
    "something missing": [part(0), part(1, missing="product:p1"), part(2, missing="product:p2")],
    "completed": [part(0), part(1, missing="product:p1"), part(2), later(1)],
    "completed only in part": [part(0, missing="customer:c1"), part(1, missing="product:p1"), part(2), later(1)],
    "what became known overtakes what it completes": [later(1), part(0), part(1, missing="product:p1"), part(2)],
    "what was found is corrected": [
        *[part(0, missing="customer:c1"), part(1), part(2)],
        *[later(0, name="first"), later(0, name="second")],
    ],
    "a complete one is corrected": [part(0), part(1), part(2), part(0, name="Bob"), part(1, amount=11)],
    "a correction overtakes a part": [part(0), part(0, name="Bob"), part(1), part(2)],
    "a correction comes twice": [part(0, parts=1), part(0, parts=1, name="Bob"), part(0, parts=1, name="Bob")],
    "there and back": [part(0, parts=1), part(0, parts=1, name="Bob"), part(0, parts=1)],
    "what was known goes missing, and is found": [
        *[part(0, parts=1), part(0, parts=1, missing="customer:c1", name=None)],
        *[later(0, parts=1), part(0, parts=1, name="Bob")],
    ],
    "what was found is taken back": [
        *[part(0, missing="customer:c1", name=None), part(1), part(2)],
        *[later(0), later(0, missing="customer:c1", name=None), later(0, name="at last")],
    ],
    "a later one misses something too": [
        *[part(0, missing="customer:c1"), part(1), part(2)],
        *[later(0, missing="customer:c1", name="still not"), later(0)],
    ],
    "a later one of a part that had all": [part(0), part(1), later(1), part(2, missing="product:p2"), later(2)],
    "one thing missing twice": [part(0), part(1, missing="product:p1"), part(2, missing="product:p1")],
    "two wholes at once": [
        *[part(0), part(0, whole="w2"), part(1, whole="w2", amount=99)],
        *[part(1), part(2, whole="w2"), part(2)],
    ],
    "another whole after the first": [
        *[part(0), part(1), part(2)],
        *[part(0, parts=2, whole="w2"), part(1, parts=2, whole="w2")],
    ],
    "no amounts": [part(0), part(1, amount=None), part(2, amount=None)],
}


@pytest.fixture(scope="module")
def rows_of_cases(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Gathered]]:
    arrivals = [(case, each) for case, parts in CASES.items() for each in parts]
    return sent(cluster, tmp_path_factory.mktemp("cases"), arrivals)


@pytest.mark.parametrize("case", CASES)
def test_case_gives_the_rows_of_the_reference(rows_of_cases: dict[str, list[Gathered]], case: str) -> None:
    assert rows_of_cases.get(case, []) == gathered(CASES[case])


def test_whole_is_emitted_once_with_its_parts_in_order(rows_of_cases: dict[str, list[Gathered]]) -> None:
    lines = [{"place": 1, "label": "line 1"}, {"place": 2, "label": "line 2"}]
    expected = Gathered(whole="w1", missing=[], lines=lines, amount=30, name="Ada", revision=1)

    assert rows_of_cases["in order"] == rows_of_cases["backwards"] == rows_of_cases["again and again"] == [expected]


def test_whole_with_missing_data_is_emitted_and_completed_as_revision_2(
    rows_of_cases: dict[str, list[Gathered]],
) -> None:
    first, second = rows_of_cases["completed"]

    assert (first.revision, first.missing, first.lines[0]["label"]) == (1, ["product:p1"], "line 1")
    assert (second.revision, second.missing, second.lines[0]["label"]) == (2, [], "line 1, later")
    assert rows_of_cases["what became known overtakes what it completes"] == [first, second]


def random_arrivals(generator: random.Random, wholes: int) -> list[Part]:
    """Return parts of one key in any order: of some wholes, with repeats, and later ones anywhere."""
    arrivals = []
    for name in [f"w{number}" for number in range(wholes)]:
        parts = generator.randint(1, 6)
        for number in range(parts):
            missing = generator.choice([None, None, f"product:p{generator.randint(1, 3)}"])
            arrivals += generator.choice([1, 1, 1, 2]) * [part(number, parts, missing, whole=name)]
            if missing and generator.random() < 0.9:
                arrivals += [later(number, parts, whole=name, name=str(again)) for again in range(2)]
            if generator.random() < 0.1:
                arrivals.append(later(number, parts, whole=name, missing="product:p9"))
        if generator.random() < 0.1:
            arrivals = [each for each in arrivals if each.number or each.whole != name]
    generator.shuffle(arrivals)
    return arrivals


def test_random_parts_give_the_rows_of_the_reference(cluster: MiniCluster, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    generator = random.Random(seed)
    orders = {f"order-{number}": random_arrivals(generator, generator.choice([1, 1, 2])) for number in range(2_000)}
    arrivals = [(order, each) for order, parts in orders.items() for each in parts]
    turns = {order: iter(parts) for order, parts in orders.items()}
    order_of_arrival = [order for order, _ in arrivals]
    generator.shuffle(order_of_arrival)

    actual = sent(cluster, tmp_path, [(order, next(turns[order])) for order in order_of_arrival])

    for order, parts in orders.items():
        assert actual.get(order, []) == gathered(parts), f"seed {seed}, {order}: {parts}"


@pytest.fixture(scope="module")
def wrong_calls(cluster: MiniCluster) -> StreamTableEnvironment:
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment)
    environment.execute_sql("CREATE TEMPORARY VIEW revised_parts AS SELECT *, 1 AS revision FROM order_parts")
    return environment


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("part => 'number'", "part => 'numbr'", "part: unknown column 'numbr'; did you mean 'number'?"),
        ("part => 'number'", "part => 'name'", "part needs an INT, but 'name' is STRING; cast it in a view"),
        ("parts => 'parts'", "parts => 'amount'", "parts needs an INT, but 'amount' is BIGINT; cast it in a view"),
        ("whole => 'whole'", "whole => 'number'", "whole needs a STRING, but 'number' is INT; cast it in a view"),
        ("whole => 'whole'", "whole => 'order_id'", "whole: the column 'order_id' is used by PARTITION BY already"),
        ("later => 'later'", "later => 'name'", "later needs a BOOLEAN, but 'name' is STRING; cast it in a view"),
        ("summed => 'amount'", "summed => 'number'", "summed needs a BIGINT, but 'number' is INT; cast it in a view"),
        ("summed => 'amount'", "summed => UPPER('amount')", "summed must be a column's name in quotes: summed => '…'"),
        ("collected => 'line'", "collected => 'missing'", "collected: the column 'missing' is used by missing already"),
        ("moment => 'moment'", "moment => 'name'", "moment needs a BIGINT, but 'name' is STRING; cast it in a view"),
        ("open_hours => 24", "open_hours => 0", "open_hours must be a whole number from 1 to 8760, such as open_hours"),
        ("ttl_hours => 48", "ttl_hours => 0", "ttl_hours must be a whole number from 1 to 8760, such as ttl_hours"),
        ("ttl_hours => 48", "ttl_hours => 8761", "ttl_hours must be a whole number from 1 to 8760, such as ttl_hours"),
        ("PARTITION BY order_id", "", "Table argument 'input' requires a PARTITION BY clause"),
        (
            "order_parts",
            "revised_parts",
            "the input has a column 'revision', as the output will; name it otherwise in a view",
        ),
    ],
)
def test_wrong_argument_fails_at_planning(
    wrong_calls: StreamTableEnvironment, right: str, wrong: str, message: str
) -> None:
    with pytest.raises(Py4JJavaError) as refusal:
        wrong_calls.sql_query(QUERY.replace(right, wrong))

    assert message in str(refusal.value)


def test_output_has_the_key_then_the_gathered_columns_then_the_revision(
    wrong_calls: StreamTableEnvironment,
) -> None:
    wrong_calls.execute_sql(f"CREATE TEMPORARY VIEW wholes AS SELECT * {QUERY[QUERY.index('FROM') :]}")
    with wrong_calls.execute_sql("DESCRIBE wholes").collect() as rows:
        columns = [f"{each[0]} {each[1]}{'' if each[2] else ' NOT NULL'}" for each in rows]

    assert columns == [
        "order_id STRING",
        "whole STRING",
        "missing ARRAY<STRING NOT NULL> NOT NULL",
        "line ARRAY<ROW<`place` INT, `label` STRING> NOT NULL> NOT NULL",
        "amount BIGINT",
        "name STRING",
        "moment BIGINT",
        "revision INT NOT NULL",
    ]


class RunningParts(RunningQuery):
    """A query that returns order, revision, amount and name of each row."""

    def __init__(
        self,
        cluster: MiniCluster,
        folder: Path,
        savepoint: str | None = None,
        parts: str = "order_parts",
        is_ever_idle: bool = True,
    ) -> None:
        query = QUERY.replace("TABLE order_parts", f"TABLE {parts}")
        super().__init__(
            cluster,
            lambda environment: declare(environment, folder, stay_open=True, is_ever_idle=is_ever_idle),
            f"SELECT order_id, revision, amount, name FROM ({query})",
            savepoint,
        )

    def answers(self, number: int) -> list[tuple[Any, ...]]:
        """Return the next rows, sorted."""
        return sorted(tuple(self.next_row()) for _ in range(number))


def test_restored_job_keeps_parts_and_incomplete_and_done_wholes(cluster: MiniCluster, tmp_path: Path) -> None:
    before = {
        "waits": [part(0), part(1)],
        "incomplete": [part(0, missing="customer:c1", name=None), part(1), part(2)],
        "done": [part(0), part(1), part(2)],
    }
    after = {
        "done": [part(0), part(1), part(2)],
        "incomplete": [later(0)],
        "waits": [part(2)],
    }
    folder = write_records(tmp_path / "parts", records(before), partitions=2)

    first = RunningParts(cluster, folder)
    answers_before = first.answers(2)
    first.wait_for_metrics(incomplete=1, completed=0, ignored_parts=0)
    savepoint = first.stop()
    write_records(folder, records(after))
    second = RunningParts(cluster, folder, savepoint)
    answers_after = second.answers(2)
    second.wait_for_metrics(incomplete=0, completed=1, ignored_parts=3)
    second.stop()

    assert answers_before == [("done", 1, 30, "Ada"), ("incomplete", 1, 30, None)]
    assert answers_after == [("incomplete", 2, 30, "Ada, later"), ("waits", 1, 30, "Ada")]


ONLY = part(0, parts=1)
CORRECTED = part(0, parts=1, name="Bob")


def test_late_part_completes_its_whole_and_corrects_none_that_is_done(cluster: MiniCluster, tmp_path: Path) -> None:
    before = [record("waits", part(0)), record("waits", part(1)), record("done", ONLY)]
    clocks = [record(f"clock {number}", ONLY, OPEN_MS, partition=number) for number in (0, 1)]
    folder = write_records(tmp_path / "parts", [*before, *clocks])

    first = RunningParts(cluster, folder, parts="parts_in_time")
    answers_before = first.answers(3)
    first.wait_for_watermark(OPEN_MS)
    savepoint = first.stop()
    write_records(folder, [record("done", CORRECTED), record("waits", part(2)), record("late", ONLY)])
    second = RunningParts(cluster, folder, savepoint, parts="parts_in_time")
    answers_after = second.answers(2)
    second.wait_for_metrics(ignored_parts=1, corrected=0)
    second.stop()

    assert answers_before == [(order, 1, None, "Ada") for order in ("clock 0", "clock 1", "done")]
    assert answers_after == [("late", 1, None, "Ada"), ("waits", 1, 30, "Ada")]


def test_idle_partition_holds_no_whole_open_and_its_parts_are_late_then(cluster: MiniCluster, tmp_path: Path) -> None:
    before = [record("waits", part(0), 0, 0), record("waits", part(1), 0, 0), record("done", ONLY, 0, 0)]
    folder = write_records(tmp_path / "parts", [*before, record("far ahead", ONLY, OPEN_MS, partition=1)])
    late = [record("done", CORRECTED, 1, 0), record("waits", part(2), 1, 0), record("late", ONLY, 1, 0)]

    job = RunningParts(cluster, folder, parts="parts_in_time")
    answers_before = job.answers(2)
    job.wait_for_watermark(OPEN_MS)
    write_records(folder, late)
    answers_after = job.answers(2)
    job.wait_for_metrics(ignored_parts=1, corrected=0)
    job.stop()

    assert answers_before == [("done", 1, None, "Ada"), ("far ahead", 1, None, "Ada")]
    assert answers_after == [("late", 1, None, "Ada"), ("waits", 1, 30, "Ada")]


def test_slow_partition_holds_wholes_open(cluster: MiniCluster, tmp_path: Path) -> None:
    ahead = [record("open", ONLY, partition=1), record("far ahead", ONLY, OPEN_MS, partition=1)]
    folder = write_records(tmp_path / "parts", [record("slow", ONLY, partition=0), *ahead])

    job = RunningParts(cluster, folder, parts="parts_in_time", is_ever_idle=False)
    answers = job.answers(3)
    write_records(folder, [record("open", CORRECTED, OPEN_MS, partition=1)])
    answers += job.answers(1)
    write_records(folder, [record("no longer slow", ONLY, OPEN_MS, partition=0)])
    job.wait_for_watermark(OPEN_MS)
    write_records(folder, [record("open", ONLY, OPEN_MS, partition=1)])
    job.wait_for_metrics(ignored_parts=1, corrected=1)
    job.stop()

    assert answers == [(order, 1, None, "Ada") for order in ("far ahead", "open", "slow")] + [("open", 2, None, "Bob")]


def records(orders: dict[str, Sequence[Part]]) -> list[Record]:
    return [record(order, each) for order, parts in orders.items() for each in parts]


def test_row_without_its_place_in_the_whole_is_refused_with_the_column(cluster: MiniCluster, tmp_path: Path) -> None:
    nowhere = replace(part(0), parts=None)  # type: ignore[arg-type]

    with pytest.raises(Exception, match="gather_parts got a row without 'parts'; leave it out in the view"):
        sent(cluster, tmp_path, [("o1", nowhere)])


@pytest.fixture
def incomplete(cluster: MiniCluster, tmp_path: Path) -> tuple[Path, str]:
    """The folder of an incomplete whole and one more part, and a savepoint taken before that part."""
    folder = write_records(tmp_path / "parts", [record("o1", part(0, parts=1, missing="customer:c1"))], partitions=2)
    query = RunningParts(cluster, folder)
    query.answers(1)
    savepoint = query.stop()
    write_records(folder, [record("o1", later(0, parts=1))], first_offset=1)
    return folder, savepoint


def test_state_of_an_unknown_version_is_refused(cluster: MiniCluster, incomplete: tuple[Path, str]) -> None:
    folder, savepoint = incomplete
    change_version(savepoint, missing=b"customer:c1", version=9)

    query = RunningParts(cluster, folder, savepoint)

    with pytest.raises(Exception, match="the state of gather_parts has version 9, this release reads version 2: "):
        query.next_row()


def change_version(savepoint: str, missing: bytes, version: int) -> None:
    """Change the version of the only state value in a savepoint; small state is in the metadata file."""
    metadata = Path(savepoint.removeprefix("file:")) / "_metadata"
    # The state has version 2, not done, a fingerprint, revision 1, and one part, which is not a later one.
    head = re.compile(rb"\x02\x00.{4}\x01\x00\x00\x00\x00(.{4})", re.DOTALL)
    written = metadata.read_bytes()
    [at] = [
        found.start()
        for found in head.finditer(written)
        if missing in written[found.end() : found.end() + min(int.from_bytes(found[1], "little"), 200)]
    ]
    metadata.write_bytes(written[:at] + bytes([version]) + written[at + 1 :])


def test_state_of_other_columns_is_refused(cluster: MiniCluster, incomplete: tuple[Path, str]) -> None:
    folder, savepoint = incomplete

    query = RunningParts(cluster, folder, savepoint, parts="weighed_parts")

    with pytest.raises(Exception, match="the state of gather_parts was written for other columns than ROW<"):
        query.next_row()
