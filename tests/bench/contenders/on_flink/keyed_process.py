"""Flink's own way in Python: one `KeyedProcessFunction` that decodes, remembers, judges and alerts."""

from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from connectors.kafka import topics
from connectors.kafka.outgoing import OUTGOING, publish
from connectors.settings import Settings
from jobs.environment import create_tables, stream_environment, variables
from tests.bench.contenders.on_flink.detect_fraud import DetectFraud

JOB = "keyed_process"
OUTGOING_TOPICS = f"{topics.FRAUD_ALERTS.name};{topics.DEAD_LETTERS.name}"
"""Topics of the sink: a row has a topic of its own only if there are several."""


def main() -> None:
    """Wire it to Kafka, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settings) | {"OUTGOING_TOPICS": OUTGOING_TOPICS}
    create_tables(tables, ["outgoing_events"], filled)
    tables.execute_sql(f"""
        CREATE TABLE payments (card_id STRING, payload BYTES) WITH (
            'connector' = 'kafka',
            'topic' = '{topics.PAYMENTS.name}',
            'properties.bootstrap.servers' = '{settings.kafka_bootstrap_servers}',
            'properties.group.id' = '{filled["CONSUMER_GROUP"]}',
            'properties.auto.offset.reset' = 'earliest',
            'scan.startup.mode' = 'group-offsets',
            'key.format' = 'raw',
            'key.fields' = 'card_id',
            'value.format' = 'raw',
            'value.fields-include' = 'EXCEPT_KEY'
        )
    """)
    alerts = (
        tables.to_data_stream(tables.from_path("payments"))
        .key_by(lambda row: row[0], Types.STRING())
        .process(DetectFraud(), OUTGOING)
    )
    publish(tables, alerts)
    environment.execute(JOB)


if __name__ == "__main__":
    main()
