"""`join_versions` joins rows with the versions of their time, corrects late ones, and refuses wrong arguments."""

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment

from local.oracles.row_versions import HOUR_MS, Version, accepted, found_later, valid
from tests.builders.events import event_time
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.running_query import RunningQuery

HOURS = 2
QUERY = f"""
    SELECT id, row_id, lsn, found_later, name
    FROM join_versions(
        input => TABLE moments PARTITION BY id,
        versions => TABLE changes PARTITION BY id,
        moment => 'moment',
        version => 'lsn',
        valid_from => 'valid_from',
        deleted => 'deleted',
        hours => {HOURS},
        uid => 'join'
    )
"""

Answer = tuple[str, int | None, bool]
"""Row, version, and whether the version was found later."""


def declare(environment: StreamTableEnvironment, folder: Path, stay_open: bool = False) -> None:
    """Create both tables, over the records of a folder, and the function."""
    columns = {
        ("moments", "placed_at"): "id STRING, row_id STRING, moment BIGINT",
        ("changes", "changed_at"): "id STRING, lsn BIGINT, deleted BOOLEAN, name STRING, valid_from BIGINT",
    }
    idle = ", 'scan.watermark.idle-timeout' = '1 s'" if stay_open else ""
    for (table, time), declared in columns.items():
        environment.execute_sql(f"""
            CREATE TABLE {table} (
                {declared},
                {time} TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
                WATERMARK FOR {time} AS {time} - INTERVAL '5' SECOND
            ) WITH (
                'connector' = 'records', 'path' = '{folder / table}', 'topic' = '{table}', 'value.format' = 'json',
                'scan.watermark.emit.strategy' = 'on-event', 'stay-open' = '{str(stay_open).lower()}'{idle}
            )
        """)
    environment.execute_sql("""
        CREATE TEMPORARY SYSTEM FUNCTION join_versions AS 'millrace.versions.JoinVersions' LANGUAGE JAVA
    """)
    environment.execute_sql("CREATE TEMPORARY VIEW wider_changes AS SELECT *, 1 AS width FROM changes")
    environment.execute_sql("CREATE TEMPORARY VIEW other_moments AS SELECT *, 1 AS lsn FROM moments")


def row(key: str, at: int, row_id: str = "") -> Record:
    fields = {"id": key, "row_id": row_id or f"{key}@{at}", "moment": at}
    return Record(json.dumps(fields).encode(), timestamp=at, partition=sum(key.encode()) % 2)


def change(key: str, version: Version) -> Record:
    fields = {"id": key, "lsn": version.lsn, "deleted": version.deleted, "name": f"{key}/{version.lsn}"}
    value = json.dumps(fields | {"valid_from": version.at}).encode()
    return Record(value, timestamp=version.at, partition=sum(key.encode()) % 2)


def at(moment: str) -> int:
    return event_time(moment)


def write(folder: Path, rows: Iterable[Record], changes: Iterable[Record]) -> Path:
    write_records(folder / "moments", rows, partitions=2)
    write_records(folder / "changes", changes, partitions=2)
    return folder


def answers(cluster: MiniCluster, folder: Path) -> list[Answer]:
    """Return the answers to the end of the records, sorted."""
    return sorted(answers_in_order(cluster, folder), key=str)


def answers_in_order(cluster: MiniCluster, folder: Path) -> list[Answer]:
    """Return the answers; those of one key in the order in which they were emitted."""
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, folder)
    with environment.execute_sql(QUERY).collect() as rows:
        return [(each[1], each[2], each[3]) for each in rows]


def test_random_rows_in_time_get_the_reference_s_versions_once(cluster: MiniCluster, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    generator = random.Random(seed)
    start = at("06:00:00")
    versions = {f"k{number}": random_versions(generator, start, generator.randint(0, 8)) for number in range(60)}
    # These are more than the function reads at once.
    versions["hot"] = random_versions(generator, start, 400)
    rows = sorted(
        (start + generator.randrange(8 * 60) * 60_000, generator.choice([*versions, *["hot"] * 30]))
        for _ in range(2_000)
    )
    changes = [(each.at, change(key, each)) for key, known in versions.items() for each in known]

    found = answers(
        cluster,
        write(
            tmp_path,
            [row(key, moment, f"row {number}") for number, (moment, key) in enumerate(rows)],
            [record for _, record in sorted(changes, key=lambda each: each[0])],
        ),
    )

    expected: list[Answer] = []
    for number, (moment, key) in enumerate(rows):
        known = accepted(versions[key])
        expected.append((f"row {number}", valid(known, moment), False))
        if later := found_later(known, moment, HOURS):
            expected.append((f"row {number}", later, True))
    assert found == sorted(expected, key=str), f"seed {seed}"


def random_versions(generator: random.Random, start: int, count: int) -> list[Version]:
    """Return versions in the order of their times, some repeated, some deletions."""
    moments = sorted(start + generator.randrange(8 * 60) * 60_000 for _ in range(count))
    versions = [Version(lsn, moment, generator.random() < 0.25) for lsn, moment in enumerate(moments, start=1)]
    return [each for version in versions for each in [version] * generator.choice([1, 1, 2])]


@pytest.mark.full
def test_random_versions_of_a_clock_set_back_match_the_reference_at_last(cluster: MiniCluster, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    generator = random.Random(seed)
    start = at("06:00:00")
    versions = {f"k{number}": set_back(generator, start, generator.randint(0, 8)) for number in range(60)}
    versions["hot"] = set_back(generator, start, 400)
    rows = sorted((start + generator.randrange(HOURS * HOUR_MS), generator.choice([*versions])) for _ in range(2_000))

    found = answers_in_order(
        cluster,
        write(
            tmp_path,
            [row(key, moment, f"row {number}") for number, (moment, key) in enumerate(rows)],
            [change(key, each) for key, known in versions.items() for each in known],
        ),
    )

    in_the_end = {(row_id, is_found_later): version for row_id, version, is_found_later in found}
    for number, (moment, key) in enumerate(rows):
        expected = valid(versions[key], moment), found_later(versions[key], moment, HOURS)
        actual = in_the_end[f"row {number}", False], in_the_end.get((f"row {number}", True))
        assert actual == expected, f"seed {seed}, {key} at {moment - start}: {versions[key]}"


def set_back(generator: random.Random, start: int, count: int) -> list[Version]:
    """Return versions in the order of their numbers; for some the clock was set back by up to an hour."""
    moments = sorted(generator.randrange(HOURS * HOUR_MS) for _ in range(count))
    moments = [max(0, each - generator.choice([0, 0, 0, generator.randrange(HOUR_MS)])) for each in moments]
    return [Version(lsn, start + each, generator.random() < 0.25) for lsn, each in enumerate(moments, start=1)]


class RunningJoin(RunningQuery):
    """A query that returns row, version and whether the version was found later."""

    def __init__(
        self, cluster: MiniCluster, folder: Path, savepoint: str | None = None, changes: str = "changes"
    ) -> None:
        query = QUERY.replace("TABLE changes", f"TABLE {changes}")
        super().__init__(
            cluster,
            lambda environment: declare(environment, folder, stay_open=True),
            f"SELECT row_id, lsn, found_later FROM ({query})",
            savepoint,
        )

    def answers(self, number: int) -> list[Answer]:
        """Return the next answers, sorted."""
        return sorted((tuple(self.next_row()) for _ in range(number)), key=str)


EARLIER = at("09:00:00")
NOON = at("12:00:00")
CLOCK = "clock"
"""A key that advances event time."""


def test_late_version_corrects_exactly_the_rows_of_its_validity(cluster: MiniCluster, tmp_path: Path) -> None:
    known = [change("p", Version(1, EARLIER)), change("q", Version(1, EARLIER)), change(CLOCK, Version(1, NOON))]
    placed = [row("p", NOON - 60_000, "before"), row("p", NOON, "at"), row("p", NOON + 60_000, "after"), row("q", NOON)]
    write(tmp_path, [*placed, row(CLOCK, NOON + HOUR_MS)], [*known, change(CLOCK, Version(2, NOON + HOUR_MS))])

    # GIVEN rows that were joined with the only version
    first = RunningJoin(cluster, tmp_path)
    before = first.answers(4)
    savepoint = first.stop()
    # WHEN a version arrives an hour late, and then the next one
    late = [Version(2, NOON), Version(3, NOON + 60_000), Version(3, NOON + 60_000)]
    write(tmp_path, [], [*(change("p", each) for each in late), change(CLOCK, Version(3, NOON + HOUR_MS + 60_000))])
    second = RunningJoin(cluster, tmp_path, savepoint)
    corrections = second.answers(3)
    second.wait_for_metrics(late_versions=2, corrected_rows=2, ignored_versions=1)
    second.stop()

    assert before == [("after", 1, False), ("at", 1, False), ("before", 1, False), (f"q@{NOON}", 1, False)]
    assert corrections == [("after", 3, False), ("at", 2, False), (f"{CLOCK}@{NOON + HOUR_MS}", 2, False)]


def test_late_deletion_retracts_a_version_and_the_next_one_is_found(cluster: MiniCluster, tmp_path: Path) -> None:
    hour = NOON + HOUR_MS
    write(
        tmp_path,
        [row("p", NOON, "p"), row("q", NOON, "q"), row(CLOCK, hour)],
        [change("p", Version(1, EARLIER)), change(CLOCK, Version(1, hour))],
    )

    first = RunningJoin(cluster, tmp_path)
    before = first.answers(2)
    savepoint = first.stop()
    late = [
        change("p", Version(2, NOON, deleted=True)),
        change("p", Version(3, NOON + 1)),
        change("q", Version(4, NOON)),
    ]
    write(tmp_path, [], [*late, change(CLOCK, Version(2, hour + 60_000))])
    second = RunningJoin(cluster, tmp_path, savepoint)
    corrections = second.answers(4)
    second.stop()

    assert before == [("p", 1, False), ("q", None, False)]
    assert corrections == [
        (f"{CLOCK}@{hour}", 1, False),
        ("p", 3, True),
        ("p", None, False),
        ("q", 4, False),
    ]


def test_row_is_corrected_within_the_hours_and_then_forgotten(cluster: MiniCluster, tmp_path: Path) -> None:
    end = NOON + (HOURS + 1) * HOUR_MS
    write(
        tmp_path,
        [row("p", NOON, "old"), row("p", end, "new"), row(CLOCK, end + 60_000)],
        [change("p", Version(1, EARLIER)), change(CLOCK, Version(1, end + 60_000))],
    )

    first = RunningJoin(cluster, tmp_path)
    before = first.answers(2)
    savepoint = first.stop()
    write(tmp_path, [], [change("p", Version(2, NOON)), change(CLOCK, Version(2, end + 120_000))])
    second = RunningJoin(cluster, tmp_path, savepoint)
    after = second.answers(2)
    second.wait_for_metrics(corrected_rows=1)
    second.stop()

    assert before == [("new", 1, False), ("old", 1, False)]
    assert after == [(f"{CLOCK}@{end + 60_000}", 1, False), ("new", 2, False)]


def test_later_version_of_an_earlier_time_is_valid_from_that_time(cluster: MiniCluster, tmp_path: Path) -> None:
    minute, end = 60_000, NOON + HOUR_MS
    changes = [
        *[
            change("found", Version(1, NOON + 10 * minute)),
            change("gone", Version(1, NOON + 10 * minute, deleted=True)),
        ],
        # The record doesn't have its own time, which would advance the watermark beyond the hours of the others.
        replace(change("far", Version(1, NOON + (HOURS + 1) * HOUR_MS)), timestamp=NOON),
        change("valid", Version(1, NOON - 10 * minute)),
    ]
    placed = [row(key, NOON, key) for key in ("found", "gone", "far", "valid")]
    between = row("found", NOON + 7 * minute, "between")
    write(tmp_path, [*placed, between, row(CLOCK, end)], [*changes, change(CLOCK, Version(1, end))])

    # GIVEN rows whose versions come later, not at all or too late, and one that has its version
    first = RunningJoin(cluster, tmp_path)
    before = first.answers(7)
    savepoint = first.stop()
    # WHEN each gets another version, by a clock that was set back
    moments = {"found": NOON + 5 * minute, "gone": NOON + minute, "far": NOON + minute, "valid": NOON - 20 * minute}
    later = [change(key, Version(2, moment)) for key, moment in moments.items()]
    rows = [row("found", NOON + 20 * minute, "late")]
    write(tmp_path, rows, [*later, change(CLOCK, Version(2, end + minute))])
    second = RunningJoin(cluster, tmp_path, savepoint)
    corrections = second.answers(8)
    second.stop()

    # THEN the later version is valid, also after the time of the one before
    assert before == [
        *[("between", 1, True), ("between", None, False), ("far", None, False)],
        *[("found", 1, True), ("found", None, False), ("gone", None, False), ("valid", 1, False)],
    ]
    assert corrections == [
        *[("between", 2, False), ("between", None, True), (f"{CLOCK}@{end}", 1, False), ("far", 2, True)],
        *[("found", 2, True), ("gone", 2, True), ("late", 2, False), ("valid", 2, False)],
    ]


def test_row_later_than_the_hours_gets_the_version_still_known(cluster: MiniCluster, tmp_path: Path) -> None:
    replaced, end = NOON - HOUR_MS, NOON + (HOURS + 1) * HOUR_MS
    write(tmp_path, [row("p", NOON, "in time")], [change("p", Version(1, EARLIER)), clock_change(1, NOON + 10_000)])

    # GIVEN a version replaced by another more than `HOURS` ago, so that it is forgotten
    job = RunningJoin(cluster, tmp_path)
    before = job.answers(1)
    write(tmp_path, [], [change("p", Version(2, replaced)), clock_change(2, NOON + 20_000)])
    before += job.answers(1)
    write(tmp_path, [row(CLOCK, end)], [clock_change(3, end)])
    job.wait_for_watermark(end - 5_000)
    # WHEN rows of its time, and of the time of the kept version, arrive then
    write(tmp_path, [row("p", replaced - 1, "of the forgotten"), row("p", replaced, "of the kept")], [])
    late = job.answers(3)
    job.stop()

    assert before == [("in time", 1, False), ("in time", 2, False)]
    assert late == [("of the forgotten", 2, True), ("of the forgotten", None, False), ("of the kept", 2, False)]


def test_row_and_version_of_an_idle_partition_are_taken_as_late(cluster: MiniCluster, tmp_path: Path) -> None:
    # q is in another partition than p and the clock, both for rows and for versions.
    hour = NOON + HOUR_MS
    rows = [row("q", NOON, "in time"), row("p", hour - 60_000, "far ahead")]
    write(tmp_path, rows, [change("q", Version(1, EARLIER)), change("p", Version(1, EARLIER)), clock_change(1, hour)])

    job = RunningJoin(cluster, tmp_path)
    before = job.answers(2)
    write(tmp_path, [row("q", NOON + 60_000, "late")], [])
    late = job.answers(1)
    write(tmp_path, [], [change("q", Version(2, NOON + 30_000))])
    job.wait_for_metrics(late_versions=1)
    write(tmp_path, [], [clock_change(2, hour + 10_000)])
    corrected = job.answers(1)
    job.stop()

    assert before == [("far ahead", 1, False), ("in time", 1, False)]
    assert late == [("late", 1, False)]
    assert corrected == [("late", 2, False)]


def clock_change(lsn: int, moment: int) -> Record:
    """Build a version that advances event time, and that no row is joined with."""
    return change(CLOCK, Version(lsn, moment))


def test_state_of_other_columns_is_refused(cluster: MiniCluster, tmp_path: Path) -> None:
    write(tmp_path, [row("p", NOON), row(CLOCK, NOON + HOUR_MS)], [change("p", Version(1, NOON + HOUR_MS))])
    first = RunningJoin(cluster, tmp_path)
    first.answers(2)
    savepoint = first.stop()
    write(tmp_path, [], [change("p", Version(2, NOON + HOUR_MS))])

    second = RunningJoin(cluster, tmp_path, savepoint, changes="wider_changes")

    with pytest.raises(Exception, match="the state of join_versions was written by another release, or for other col"):
        second.answers(2)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("version => 'lsn'", "version => 'lns'", "version: unknown column 'lns'; did you mean 'lsn'?"),
        ("version => 'lsn'", "version => 'name'", "version needs a BIGINT, but 'name' is STRING; cast it in a view"),
        ("moment => 'moment'", "moment => UPPER('x')", "moment must be a column's name in quotes: moment => '…'"),
        ("deleted => 'deleted'", "deleted => 'lsn'", "deleted needs a BOOLEAN, but 'lsn' is BIGINT; cast it in a view"),
        ("hours => 2", "hours => 0", "hours must be a whole number from 1 to 999, such as hours => 24"),
        ("TABLE moments", "TABLE other_moments", "both the input and the versions have a column 'lsn'"),
    ],
)
def test_wrong_argument_fails_at_planning(
    cluster: MiniCluster, tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, write(tmp_path, [], []))

    with pytest.raises(Py4JJavaError) as refusal:
        environment.sql_query(QUERY.replace(right, wrong))

    assert message in str(refusal.value)


def test_output_has_the_keys_then_the_input_then_the_version(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, write(tmp_path, [], []))

    columns = environment.sql_query(f"SELECT * {QUERY[QUERY.index('FROM') :]}").get_schema().get_field_names()

    assert columns == ["id", "id0", "row_id", "moment", "placed_at", "lsn", "name", "changed_at", "found_later"]
