"""Payments → features → rules → alerts.

payments ─▶ sliding_features ─▶ may_break_rules ─▶ judge_payment ─▶ sort_out ─┬─▶ raise_alerts ─▶ fraud-alerts
    (SQL, JVM)        (JVM)            (JVM)      (Python, thread)            ├─▶ fraud-shadow-hits
    └── records that don't decode ───────────────────────────────────────────▶┼─▶ dead-letters
                                                                              └─▶ late-payments
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import DataStream, OutputTag, ProcessFunction
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import udf

import sql
from connectors.kafka import topics
from connectors.kafka.outgoing import OUTGOING, outgoing, publish
from connectors.kafka.rulesets import KafkaRulesets
from connectors.settings import Settings
from events import DeadLetter, FraudAlert, ShadowHit
from jobs.environment import create_tables, stream_environment, variables
from udfs.fraud.alerts import Suspicion
from udfs.fraud.features import payment_declaration, payment_features
from udfs.fraud.judge_payment import JudgePayment
from udfs.fraud.payment_outcomes import NoteworthyPayment, Outcome, outcomes
from udfs.fraud.raise_alerts import RaiseAlerts
from udfs.fraud.rules import fact_names, filter_facts
from udfs.fraud.ruleset_sources import Rulesets

JOB = "fraud_detection"
OPTIONS = {
    # A row with 45 columns isn't copied from step to step. No step keeps or changes a row that it received.
    "pipeline.object-reuse": "true",
    # An alert passes four exchanges, and waits at each for half of this on average.
    "execution.buffer-timeout.interval": "2ms",
}
"""Flink options for this job."""

_OUTGOING_TOPICS = (topics.FRAUD_ALERTS, topics.SHADOW_HITS, topics.LATE_PAYMENTS, topics.DEAD_LETTERS)
_JAVA_FUNCTIONS = {
    "sliding_features": "millrace.features.SlidingFeatures",
    "may_break_rules": "millrace.rules.MayBreakRules",
}
_SUSPICIONS = OutputTag("suspicions", Types.TUPLE([Types.STRING(), Types.STRING()]))


def define(tables: StreamTableEnvironment, rulesets: Rulesets, base_currency: str) -> DataStream:
    """Define the topology, from the table `payments` of `tables` to a stream of `OUTGOING` rows.

    Alerts, shadow hits and dead letters come out of one query, since two would read Kafka twice.
    """
    features = payment_features()
    filter_id = uuid4().hex
    judge = udf(JudgePayment(rulesets, features, base_currency, filter_id), result_type=DataTypes.STRING())
    tables.create_temporary_system_function("judge_payment", judge)
    for function, java_class in _JAVA_FUNCTIONS.items():
        tables.execute_sql(f"CREATE TEMPORARY SYSTEM FUNCTION {function} AS '{java_class}' LANGUAGE JAVA")
    filled = {
        "PAYMENT_FEATURES": payment_declaration(),
        "FACTS": ", ".join(fact_names(features)),
        "FILTER": filter_id,
        "FILTER_FACTS": ", ".join(filter_facts(features)),
    }
    for view in ("payment_features", "noteworthy_payments"):
        tables.execute_sql(sql.read(f"views/{view}.sql", filled))

    noteworthy = tables.to_data_stream(tables.from_path("noteworthy_payments"))
    sorted_out = noteworthy.process(SortOut(), OUTGOING).name("sort out").uid("sort-out")
    alerts = (
        sorted_out.get_side_output(_SUSPICIONS)
        .name("suspicions")
        .uid("suspicions")
        .key_by(lambda suspicion: suspicion[0], Types.STRING())
        .process(RaiseAlerts(_addressed_alert), OUTGOING)
        .name("raise alerts")
        .uid("raise-alerts")
    )
    return sorted_out.union(alerts)


def _addressed_alert(alert: FraudAlert) -> Row:
    return outgoing(topics.FRAUD_ALERTS, alert.card_id.encode(), alert)


class SortOut(ProcessFunction):  # type: ignore[misc]
    """Rows of `noteworthy_payments` → `OUTGOING` rows, and suspicions by card on a side output."""

    def process_element(self, value: Row, ctx: Any) -> Iterator[Row | tuple[OutputTag, tuple[str, str]]]:
        kind, _, topic, partition, offset, key, headers, payload, note = value
        noteworthy = NoteworthyPayment(
            kind, ctx.timestamp(), topic, partition, offset, key, headers or {}, payload, note
        )
        for outcome in outcomes(noteworthy, JOB):
            yield _addressed(outcome, kind)


def _addressed(outcome: Outcome, kind: str) -> Row | tuple[OutputTag, tuple[str, str]]:
    match outcome:
        case Suspicion(card_id=card_id):
            return _SUSPICIONS, (card_id, msgspec.json.encode(outcome).decode())
        case ShadowHit(card_id=card_id):
            return outgoing(topics.SHADOW_HITS, card_id.encode(), outcome)
        case DeadLetter(source_key=key):
            return outgoing(topics.LATE_PAYMENTS if kind == "late" else topics.DEAD_LETTERS, key, outcome)


def main() -> None:
    """Wire the topology to Kafka, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB, OPTIONS)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settings) | {"OUTGOING_TOPICS": ";".join(topic.name for topic in _OUTGOING_TOPICS)}
    create_tables(tables, ("payments", "outgoing_events"), filled)
    rulesets = KafkaRulesets(settings.kafka_bootstrap_servers, topics.FRAUD_RULESETS.name)
    publish(tables, define(tables, rulesets, settings.base_currency))
    environment.execute(JOB)


if __name__ == "__main__":
    main()
