"""Fraud alerts, enriched orders and customers → messages to the customers.

fraud-alerts ────────┐
enriched-orders ─────┼─▶ records_of_recipients ─▶ notify ─┬─▶ notifications
db-changes.customers ┘        (SQL, JVM)     (Python, by  └─▶ dead-letters
                                              recipient)
"""

from dataclasses import replace

from pyflink.common import Row, Types
from pyflink.datastream import DataStream
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.kafka.outgoing import OUTGOING, outgoing, publish
from connectors.settings import Settings
from events import DeadLetter, Notification
from jobs.environment import create_tables, stream_environment, variables
from udfs.notifications import notification_policy
from udfs.notifications.notification_policy import Policy
from udfs.notifications.notify import RECIPIENT, Notify

JOB = "notifications"

SOURCES = ("fraud_alerts", "enriched_orders", "db_changes_customers", "clock")
_OUTGOING_TOPICS = (topics.NOTIFICATIONS, topics.DEAD_LETTERS)


def define(tables: StreamTableEnvironment, policy: Policy) -> DataStream:
    """Define the topology, from the tables `SOURCES` of `tables` to a stream of `OUTGOING` rows."""
    tables.execute_sql(sql.read("functions/with_watermark.sql", {}))
    tables.execute_sql(sql.read("views/notifications/records_of_recipients.sql", {}))
    return (
        tables.to_data_stream(tables.from_path("records_of_recipients"))
        .key_by(lambda row: row[RECIPIENT], Types.STRING())
        .process(Notify(policy, JOB, _addressed), OUTGOING)
        .name("notify")
        .uid("notify")
    )


def _addressed(event: Notification | DeadLetter) -> Row:
    if isinstance(event, DeadLetter):
        return outgoing(topics.DEAD_LETTERS, event.source_key, event)
    return outgoing(topics.NOTIFICATIONS, event.recipient.encode(), event)


def settled(settings: Settings, policy: Policy) -> Settings:
    """Return settings whose watermark is delayed enough that events that happened before it have also arrived."""
    seconds = int(settings.watermark_delay_seconds) + policy.settle_seconds
    return replace(settings, watermark_delay_seconds=str(seconds))


def main() -> None:
    """Wire the topology to Kafka, and run it."""
    settings = Settings.from_environment()
    policy = notification_policy.parse(notification_policy.default_text())
    notification_policy.check_covers(policy, int(settings.missing_data_hours))
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settled(settings, policy))
    filled |= {"OUTGOING_TOPICS": ";".join(topic.name for topic in _OUTGOING_TOPICS)}
    create_tables(tables, (*SOURCES, "outgoing_events"), filled)
    publish(tables, define(tables, policy))
    environment.execute(JOB)


if __name__ == "__main__":
    main()
