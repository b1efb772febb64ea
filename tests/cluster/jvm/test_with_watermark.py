"""`with_watermark` gives rows the watermark of all later steps, restores its state, and refuses wrong arguments."""

from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment

from tests.builders.events import event_time
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.running_query import RunningQuery

QUERY = """
    SELECT name, CAST(last_watermark AS STRING), CAST(event_time AS STRING), CAST(rowtime AS STRING)
    FROM with_watermark(
        input => TABLE events,
        on_time => DESCRIPTOR(event_time),
        uid => 'events-with-watermark'
    )
"""


def declare(environment: StreamTableEnvironment, folder: Path, stay_open: bool = False) -> None:
    environment.execute_sql(f"""
        CREATE TABLE events (
            name STRING,
            event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
        ) WITH (
            'connector' = 'records', 'path' = '{folder}', 'topic' = 'events', 'value.format' = 'raw',
            'scan.watermark.emit.strategy' = 'on-event', 'stay-open' = '{str(stay_open).lower()}'
        )
    """)
    environment.execute_sql("""
        CREATE TEMPORARY SYSTEM FUNCTION with_watermark AS 'millrace.watermarks.WithWatermark' LANGUAGE JAVA
    """)
    environment.execute_sql("CREATE TEMPORARY VIEW marked AS SELECT *, 1 AS last_watermark FROM events")


def event(name: str, at: str, partition: int = 0) -> Record:
    return Record(name.encode(), timestamp=event_time(at), partition=partition)


def time(of_day: str | None) -> str | None:
    return of_day and f"2026-03-01 {of_day}.000"


def test_row_has_the_watermark_of_the_rows_before(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    arrivals = [event("a", "12:00:00"), event("b", "12:01:00"), event("late", "12:00:30"), event("d", "12:02:00")]
    declare(environment, write_records(tmp_path, arrivals))

    with environment.execute_sql(QUERY).collect() as rows:
        found = [tuple(row) for row in rows]

    assert found == [
        ("a", None, time("12:00:00"), time("12:00:00")),
        ("b", time("11:59:55"), time("12:01:00"), time("12:01:00")),
        ("late", time("12:00:55"), time("12:00:30"), time("12:00:30")),
        ("d", time("12:00:55"), time("12:02:00"), time("12:02:00")),
    ]


def test_restored_job_keeps_the_watermark_until_a_new_one_arrives(cluster: MiniCluster, tmp_path: Path) -> None:
    folder = write_records(tmp_path, [event("slow", "12:00:00", 0), event("fast", "12:01:00", 1)])

    def run(savepoint: str | None = None) -> RunningQuery:
        return RunningQuery(cluster, lambda environment: declare(environment, folder, stay_open=True), QUERY, savepoint)

    first = run()
    assert {first.next_row()[0], first.next_row()[0]} == {"slow", "fast"}
    savepoint = first.stop()
    write_records(folder, [event("older", "11:00:00", 1)], first_offset=1)
    second = run(savepoint)
    once = tuple(second.next_row())[:2]
    savepoint = second.stop()
    write_records(folder, [event("again", "11:00:00", 0)], first_offset=1)
    third = run(savepoint)
    twice = tuple(third.next_row())[:2]
    third.stop()

    assert (once, twice) == (("older", time("11:59:55")), ("again", time("11:59:55")))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("TABLE events", "TABLE events PARTITION BY name", "with_watermark takes no PARTITION BY"),
        ("TABLE events", "TABLE marked", "the input has a column 'last_watermark', as the output will"),
        ("on_time => DESCRIPTOR(event_time),", "", "on_time"),
    ],
)
def test_wrong_argument_fails_at_planning(
    cluster: MiniCluster, tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    environment = StreamTableEnvironment.create(cluster.environment())
    declare(environment, write_records(tmp_path, []))

    with pytest.raises(Py4JJavaError) as refusal:
        environment.sql_query(QUERY.replace(right, wrong))

    assert message in str(refusal.value)
