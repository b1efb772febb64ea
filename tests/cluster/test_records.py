"""The test-only connector `records` behaves as Kafka's: all tests that read from it depend on that."""

from pathlib import Path

from pyflink.table import StreamTableEnvironment, TableResult

from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records


def declare(environment: StreamTableEnvironment, folder: Path, **options: str) -> None:
    given = "".join(f", '{name.replace('_', '-')}' = '{value}'" for name, value in options.items())
    environment.execute_sql(f"""
        CREATE TABLE numbers (
            record_key BYTES,
            number STRING,
            source_topic STRING METADATA FROM 'topic',
            source_partition INT METADATA FROM 'partition',
            source_offset BIGINT METADATA FROM 'offset',
            source_headers MAP<STRING, BYTES> METADATA FROM 'headers',
            event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR event_time AS event_time
        ) WITH (
            'connector' = 'records', 'path' = '{folder}', 'topic' = 'numbers',
            'key.format' = 'raw', 'key.fields' = 'record_key',
            'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY',
            'scan.watermark.emit.strategy' = 'on-event' {given}
        )
    """)


def rows(result: TableResult) -> list[tuple[object, ...]]:
    with result.collect() as collected:
        return [tuple(row) for row in collected]


def test_record_arrives_with_its_key_bytes_and_metadata(
    table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    record = Record(b"line 1\nline 2", key=b"k", timestamp=1_500, partition=1, headers={"from": b"a", "none": None})
    declare(table_environment, write_records(tmp_path / "numbers", [Record(b"first", partition=1), record]))

    found = rows(
        table_environment.execute_sql("""
            SELECT
                record_key, number, source_topic, source_partition, source_offset,
                CAST(source_headers AS STRING), CAST(event_time AS STRING)
            FROM numbers
            WHERE source_offset = 1
        """)
    )

    headers, time = "{from=a, none=NULL}", "1970-01-01 00:00:01.500"
    assert found == [(b"k", "line 1\nline 2", "numbers", 1, 1, headers, time)]


def test_partition_keeps_its_order_and_the_slowest_holds_the_watermark(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    fast = [Record(b"fast-%d" % second, timestamp=second * 60_000) for second in range(5)]
    slow = [Record(b"slow-%d" % second, timestamp=second * 1_000, partition=1) for second in range(5)]
    declare(environment, write_records(tmp_path / "numbers", fast + slow))

    found = rows(
        environment.execute_sql(
            "SELECT number, UNIX_TIMESTAMP(CAST(CURRENT_WATERMARK(event_time) AS STRING)) FROM numbers"
        )
    )

    assert [number for number, _ in found] == [f"{kind}-{second}" for second in range(5) for kind in ("fast", "slow")]
    assert [watermark for _, watermark in found[2:]] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_job_restored_from_a_savepoint_reads_only_what_was_appended(cluster: MiniCluster, tmp_path: Path) -> None:
    folder = write_records(tmp_path / "numbers", [Record(b"1"), Record(b"2", partition=1)])
    first = StreamTableEnvironment.create(cluster.environment())
    declare(first, folder, stay_open="true")
    job = first.execute_sql("SELECT number FROM numbers")
    with job.collect() as collected:
        before = {next(collected)[0], next(collected)[0]}
        savepoint = cluster.stop_with_savepoint(job.get_job_client())

    write_records(folder, [Record(b"3")], first_offset=1)
    collector_has_another_id = {"execution.state-recovery.ignore-unclaimed-state": "true"}
    restored = cluster.environment({"execution.state-recovery.path": savepoint} | collector_has_another_id)
    second = StreamTableEnvironment.create(restored)
    declare(second, folder)

    assert before == {"1", "2"}
    assert rows(second.execute_sql("SELECT number FROM numbers")) == [("3",)]
