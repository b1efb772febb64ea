"""Flink's own way in SQL: an OVER window for each length, then Python functions for the rules and the cases."""

from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import ProcessFunction
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import udf

from connectors.kafka import topics
from connectors.kafka.outgoing import OUTGOING, outgoing, publish
from connectors.kafka.rulesets import KafkaRulesets
from connectors.settings import Settings
from events import FraudAlert
from jobs.environment import create_tables, stream_environment, variables
from udfs.fraud.alerts import Suspicion
from udfs.fraud.features import payment_features
from udfs.fraud.judge_payment import JudgePayment
from udfs.fraud.raise_alerts import RaiseAlerts
from udfs.fraud.rules import Verdict, fact_names

JOB = "over_windows"
OUTGOING_TOPICS = f"{topics.FRAUD_ALERTS.name};{topics.DEAD_LETTERS.name}"
"""Topics of the sink: a row has a topic of its own only if there are several."""
_SUSPICION = Types.TUPLE([Types.STRING(), Types.STRING()])


class Suspect(ProcessFunction):  # type: ignore[misc]
    """Payments that broke active rules → (card_id, `Suspicion` as JSON)."""

    def process_element(self, value: Row, ctx: Any) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        moment, payment_id, customer_id, card_id, amount, currency, note = value
        verdict = msgspec.json.decode(note, type=Verdict)
        if verdict.rules:
            suspicion = Suspicion(
                card_id=card_id,
                customer_id=customer_id,
                payment_id=payment_id,
                event_time=moment,
                base_amount_minor=amount,
                base_currency=currency,
                verdict=verdict,
            )
            yield card_id, msgspec.json.encode(suspicion).decode()


def addressed(alert: FraudAlert) -> Row:
    """Return the row that emits an alert to the topic of alerts."""
    return outgoing(topics.FRAUD_ALERTS, alert.card_id.encode(), alert)


def main() -> None:
    """Wire it to Kafka, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settings) | {"OUTGOING_TOPICS": OUTGOING_TOPICS}
    create_tables(tables, ("payments", "outgoing_events"), filled)
    features = payment_features()
    rulesets = KafkaRulesets(settings.kafka_bootstrap_servers, topics.FRAUD_RULESETS.name)
    judge = udf(JudgePayment(rulesets, features, settings.base_currency, JOB), result_type=DataTypes.STRING())
    tables.create_temporary_system_function("judge_payment", judge)
    tables.execute_sql(Path(__file__).with_suffix(".sql").read_text("utf-8"))
    judged = tables.sql_query(
        Template("""
            SELECT moment, payment_id, customer_id, card_id, base_amount_minor, base_currency, verdict
            FROM (
                SELECT *, judge_payment(moment, $facts) AS verdict
                FROM (
                    SELECT *, EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS moment
                    FROM payment_features
                )
            )
            WHERE verdict IS NOT NULL
        """).substitute(facts=", ".join(fact_names(features)))
    )
    alerts = (
        tables.to_data_stream(judged)
        .process(Suspect(), _SUSPICION)
        .key_by(lambda suspicion: suspicion[0], Types.STRING())
        .process(RaiseAlerts(addressed), OUTGOING)
    )
    publish(tables, alerts)
    environment.execute(JOB)


if __name__ == "__main__":
    main()
