"""`row_versions` gives each version once with the one before it, outlives its job, and refuses what is wrong."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment

from tests.builders import event_time
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.running_query import RunningQuery

QUERY = """
    SELECT id, lsn, name, previous.lsn, previous.name, CAST(previous.event_time AS STRING), CAST(rowtime AS STRING)
    FROM row_versions(
        input => TABLE changes PARTITION BY id,
        on_time => DESCRIPTOR(event_time),
        version => 'lsn',
        uid => 'versions'
    )
"""


def declare(environment: StreamTableEnvironment, folder: Path, stay_open: bool = False) -> None:
    """The table of changes, over the records of a folder, and the function."""
    environment.execute_sql(f"""
        CREATE TABLE changes (
            id STRING,
            lsn BIGINT,
            name STRING,
            event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
        ) WITH (
            'connector' = 'records', 'path' = '{folder}', 'topic' = 'changes', 'value.format' = 'json',
            'scan.watermark.emit.strategy' = 'on-event', 'stay-open' = '{str(stay_open).lower()}'
        )
    """)
    environment.execute_sql("""
        CREATE TEMPORARY SYSTEM FUNCTION row_versions AS 'millrace.versions.RowVersions' LANGUAGE JAVA
    """)
    environment.execute_sql("CREATE TEMPORARY VIEW wider_changes AS SELECT *, 1 AS width FROM changes")


def change(key: str, lsn: int, at: str = "12:00:00", name: str | None = None) -> Record:
    value = {"id": key, "lsn": lsn, "name": name or f"{key}{lsn}"}
    return Record(json.dumps(value).encode(), timestamp=event_time(at), partition=sum(key.encode()) % 2)


def versions(cluster: MiniCluster, folder: Path, changes: Iterable[Record]) -> dict[str, list[tuple[Any, ...]]]:
    """What comes out, by key, without the key."""
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, write_records(folder, changes, partitions=2))
    found: dict[str, list[tuple[Any, ...]]] = {}
    with environment.execute_sql(QUERY).collect() as rows:
        for key, *rest in rows:
            found.setdefault(key, []).append(tuple(rest))
    return found


def test_each_version_has_the_one_before_it(cluster: MiniCluster, tmp_path: Path) -> None:
    found = versions(cluster, tmp_path, [change("a", 1), change("b", 7), change("a", 5, "12:00:01.500")])

    assert found == {
        "a": [
            (1, "a1", None, None, None, "2026-03-01 12:00:00.000"),
            (5, "a5", 1, "a1", "2026-03-01 12:00:00.000", "2026-03-01 12:00:01.500"),
        ],
        "b": [(7, "b7", None, None, None, "2026-03-01 12:00:00.000")],
    }


def test_a_version_that_was_seen_or_overtaken_is_left_out(cluster: MiniCluster, tmp_path: Path) -> None:
    arrivals = [change("a", 1), change("a", 3), change("a", 2), change("a", 3, name="again"), change("a", 4)]

    found = versions(cluster, tmp_path, arrivals)

    assert [(lsn, previous) for lsn, _, previous, *_ in found["a"]] == [(1, None), (3, 1), (4, 3)]


def test_a_late_version_is_not_dropped(cluster: MiniCluster, tmp_path: Path) -> None:
    found = versions(cluster, tmp_path, [change("a", 1, "14:00:00"), change("a", 2, "12:00:00")])

    assert [lsn for lsn, *_ in found["a"]] == [1, 2]


class RunningVersions(RunningQuery):
    """Says key, version and the version before of each row."""

    def __init__(
        self, cluster: MiniCluster, folder: Path, savepoint: str | None = None, changes: str = "changes"
    ) -> None:
        query = QUERY.replace("TABLE changes", f"TABLE {changes}")
        super().__init__(
            cluster,
            lambda environment: declare(environment, folder, stay_open=True),
            f"SELECT id, lsn, lsn0 FROM ({query}) AS versions (id, lsn, name, lsn0, name0, time0, at_time)",
            savepoint,
        )


def test_a_restored_job_knows_each_keys_last_version(cluster: MiniCluster, tmp_path: Path) -> None:
    folder = write_records(tmp_path, [change("a", 1)], partitions=2)

    first = RunningVersions(cluster, folder)
    before = tuple(first.next_row())
    savepoint = first.stop()
    write_records(folder, [change("a", 1), change("a", 2)])
    second = RunningVersions(cluster, folder, savepoint)
    after = tuple(second.next_row())
    second.wait_for_metrics(ignored_versions=1)
    second.stop()

    assert (before, after) == (("a", 1, None), ("a", 2, 1))


def test_state_of_other_columns_is_refused(cluster: MiniCluster, tmp_path: Path) -> None:
    folder = write_records(tmp_path, [change("a", 1)], partitions=2)
    first = RunningVersions(cluster, folder)
    first.next_row()
    savepoint = first.stop()
    write_records(folder, [change("a", 2)])

    second = RunningVersions(cluster, folder, savepoint, changes="wider_changes")

    with pytest.raises(Exception, match="the state of row_versions was written by another release, or for other col"):
        second.next_row()


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("version => 'lsn'", "version => 'lns'", "version: unknown column 'lns'; did you mean 'lsn'?"),
        ("version => 'lsn'", "version => 'name'", "version needs a BIGINT, but 'name' is STRING; cast it in a view"),
        ("version => 'lsn'", "version => UPPER('lsn')", "version must be a column's name in quotes"),
        ("on_time => DESCRIPTOR(event_time),", "", "on_time"),
    ],
)
def test_a_wrong_argument_fails_at_planning(
    cluster: MiniCluster, tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, write_records(tmp_path, []))

    with pytest.raises(Py4JJavaError) as refusal:
        environment.sql_query(QUERY.replace(right, wrong))

    assert message in str(refusal.value)
