"""The harness of the unit tests compared with Flink: same input, same output."""

from pathlib import Path

import msgspec
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from tests.builders.suspicions import element, suspicion
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.reference_runs.harness import KeyedHarness
from udfs.fraud.raise_alerts import RaiseAlerts

DELAY_MS = 5_000
ARRIVALS = [
    suspicion("12:00:00", "burst"),
    suspicion("12:00:00", "burst", card="c2"),
    suspicion("12:10:00", "burst"),
    suspicion("12:10:00", "burst", "travel"),
    suspicion("12:09:58", "amount", card="c2"),
    suspicion("12:40:06", "burst", card="c3"),
    suspicion("12:39:00", "burst"),
    suspicion("12:35:00", "amount"),
    suspicion("18:00:00", "burst", card="c2"),
    suspicion("18:00:00", "burst"),
]
"""Equal times, repeats, escalations, payments out of order, one after its case was closed, and a long silence."""


def as_text(alert: object) -> str:
    return msgspec.json.encode(alert).decode()


def test_harness_gives_the_same_output_as_flink(cluster: MiniCluster, tmp_path: Path) -> None:
    harness = KeyedHarness(RaiseAlerts(as_text), key=lambda value: value[0])
    newest = 0
    for arrival in ARRIVALS:
        harness.process(*element(arrival))
        newest = max(newest, arrival.event_time)
        harness.advance_watermark(newest - DELAY_MS)
    harness.advance_watermark(2**63 - 1)

    on_flink = run_on(cluster.environment({"parallelism.default": "1"}), tmp_path)

    assert sorted(on_flink) == sorted(harness.outputs)
    assert harness.is_empty()


def run_on(environment: StreamExecutionEnvironment, folder: Path) -> list[str]:
    tables = StreamTableEnvironment.create(environment)
    records = [
        Record(value=encoded.encode(), key=card.encode(), timestamp=timestamp)
        for (card, encoded), timestamp in map(element, ARRIVALS)
    ]
    tables.execute_sql(f"""
        CREATE TABLE suspicions (
            card_id STRING,
            suspicion STRING,
            event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
            WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
        ) WITH (
            'connector' = 'records',
            'path' = '{write_records(folder / "suspicions", records)}',
            'topic' = 'suspicions',
            'scan.watermark.emit.strategy' = 'on-event',
            'key.format' = 'raw',
            'key.fields' = 'card_id',
            'value.format' = 'raw',
            'value.fields-include' = 'EXCEPT_KEY'
        )
    """)
    alerts = (
        tables.to_data_stream(tables.from_path("suspicions"))
        .map(lambda row: (row[0], row[1]), Types.TUPLE([Types.STRING(), Types.STRING()]))
        .key_by(lambda value: value[0], Types.STRING())
        .process(RaiseAlerts(as_text), Types.STRING())
    )
    with alerts.execute_and_collect() as results:
        return list(results)
