"""Checks alerts against those expected from the payments in Kafka: the counts of a restarted job are no evidence."""

from collections.abc import Iterator

import msgspec

from connectors.kafka.topics import FRAUD_ALERTS, PAYMENTS
from connectors.settings import Settings
from events import FraudAlert, Payment
from local.demo.checks.finding import Finding, some
from local.oracles import alerts
from tests.e2e.deployment import partitions, records_from
from udfs.fraud.features import payment_features


def finding(settings: Settings) -> Finding:
    """Check the alerts that open or escalate a case: all that the oracle expects are there, and no others."""
    expected = alerts.alert_ids(_payments(settings), payment_features())
    raised = {alert.event_id for alert in _alerts(settings) if alert.event_type != "fraud_alert.closed"}
    return Finding(
        "alerts that open or escalate a case = those expected from the payments",
        f"{len(expected):,} = {len(raised):,}{some(expected ^ raised)}",
        expected == raised,
    )


def _payments(settings: Settings) -> Iterator[Payment]:
    for record in records_from(settings, dict.fromkeys(partitions([PAYMENTS]), 0)):
        try:
            yield msgspec.json.decode(record.value, type=Payment)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # another check compares bad records with the dead letters


def _alerts(settings: Settings) -> Iterator[FraudAlert]:
    for record in records_from(settings, dict.fromkeys(partitions([FRAUD_ALERTS]), 0)):
        yield msgspec.json.decode(record.value, type=FraudAlert)
