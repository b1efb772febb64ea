"""The table `payments` as the jobs declare it, over records in files instead of Kafka."""

import re
from pathlib import Path

import msgspec
from pyflink.table import StreamTableEnvironment

import sql
from connectors.settings import Settings
from events import Payment
from jobs.environment import variables
from tests.cluster.records import Record


def record(payment: Payment, partition: int = 0) -> Record:
    """The record that the payment service would publish."""
    return Record(
        value=msgspec.json.encode(payment),
        key=payment.card_id.encode(),
        timestamp=payment.event_time,
        partition=partition,
    )


def create_payments(tables: StreamTableEnvironment, folder: Path) -> None:
    """Declare the table from its file, then shadow it by one that differs in its connector alone."""
    declaration = sql.read("tables/payments.sql", variables("test", Settings()))
    tables.execute_sql(declaration)
    formats = "\n".join(re.findall(r"'(?:key|value)\..*", declaration))
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE payments WITH (
            'connector' = 'records',
            'path' = '{folder}',
            'topic' = 'payments',
            'scan.watermark.emit.strategy' = 'on-event',
            {formats}
        ) LIKE payments (EXCLUDING OPTIONS)
    """)
