"""The floor: payments are decoded and dropped, all but one in some hundred, which say how far it is.

`json` as argument: by Flink's own JSON format, which checks nothing. `at-least-once` or `exactly-once`: what is decoded
is written once more, to a topic of copies, with that guarantee.
"""

import sys
from pathlib import Path

from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.settings import Settings
from jobs.environment import create_tables, stream_environment, variables

JOB = "decode"
JSON = "json"
GUARANTEES = ("at-least-once", "exactly-once")
COPY = "payments-copy"
OUTGOING_TOPICS = f"{topics.FRAUD_ALERTS.name};{topics.DEAD_LETTERS.name}"
"""Topics of the sink: a row has a topic of its own only if there are several."""
EVERY = 200
"""Interval, in payments of a partition, of the marks in the topic of alerts."""
TEXTS = (
    *("event_id", "event_type", "payment_id", "order_id", "customer_id", "card_id", "merchant_id"),
    *("merchant_category", "currency", "base_currency", "country", "device_id", "channel", "status"),
)
NUMBERS = ("amount_minor", "base_amount_minor", "latitude", "longitude")


def main() -> None:
    """Wire it to Kafka, and run it."""
    how = sys.argv[1] if sys.argv[1:] else ""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settings) | {"OUTGOING_TOPICS": OUTGOING_TOPICS, "COPY": COPY, "GUARANTEE": how}
    create_tables(tables, ["outgoing_events"], filled)
    if how == JSON:
        tables.execute_sql(sql.fill(_beside("payments_json"), filled, "payments_json.sql"))
    else:
        create_tables(tables, ["payments"], filled)
    good = "TRUE" if how == JSON else "error IS NULL"
    statements = tables.create_statement_set()
    # All columns are selected, so that all are decoded.
    statements.add_insert_sql(f"""
        INSERT INTO outgoing_events (topic, record_key, record_value, event_time)
        SELECT '{topics.FRAUD_ALERTS.name}', ENCODE(card_id, 'UTF-8'), ENCODE(payment_id, 'UTF-8'), event_time
        FROM payments
        WHERE {good}
            AND CHAR_LENGTH(CONCAT_WS('', {", ".join(TEXTS)})) > 0
            AND amount_minor + base_amount_minor > 0 AND latitude + longitude < 1000
            AND MOD(source_offset, {EVERY}) = 0
    """)
    if how in GUARANTEES:
        columns = ", ".join((*TEXTS, *NUMBERS))
        tables.execute_sql(sql.fill(_beside("payments_copy"), filled, "payments_copy.sql"))
        statements.add_insert_sql(f"""
            INSERT INTO payments_copy ({columns}, record_time) SELECT {columns}, event_time FROM payments WHERE {good}
        """)
    statements.attach_as_datastream()
    environment.execute(JOB)


def _beside(table: str) -> str:
    return Path(__file__).with_name(f"{table}.sql").read_text("utf-8")


if __name__ == "__main__":
    main()
