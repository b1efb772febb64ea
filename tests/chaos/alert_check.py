"""Comparison of the alerts with the oracle's, from the payments in Kafka: a job that restarts forgets its counts."""

from collections.abc import Iterator

import msgspec

from connectors.kafka.topics import FRAUD_ALERTS, PAYMENTS
from connectors.settings import Settings
from events import FraudAlert, Payment
from local.demo.checks.finding import Finding, some
from local.simulator.outgoing import GOOD, Outgoing
from ops.rules import rulesets
from tests.e2e.deployment import partitions, records_from
from tests.reference_runs import fraud_detection as reference_run


def finding(settings: Settings) -> Finding:
    """What must be so of the alerts that open or escalate a case: each is there, and no other one."""
    in_force = [each.ruleset for each in rulesets.read(settings) if each.ruleset]
    judged = reference_run.judged(_payments(settings), *in_force)
    expected = {alert.event_id for alert in reference_run.alerts(judged)}
    raised = {alert.event_id for alert in _alerts(settings) if alert.event_type != "fraud_alert.closed"}
    return Finding(
        "alerts that open or escalate a case = those of a plain loop over the payments",
        f"{len(expected):,} = {len(raised):,}{some(expected ^ raised)}",
        expected == raised,
    )


def _payments(settings: Settings) -> Iterator[Outgoing]:
    for record in records_from(settings, dict.fromkeys(partitions([PAYMENTS]), 0)):
        try:
            payment = msgspec.json.decode(record.value, type=Payment)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # a dead letter, as another claim proves
        yield Outgoing(PAYMENTS, record.key, record.timestamp, record.timestamp, GOOD, payment)


def _alerts(settings: Settings) -> Iterator[FraudAlert]:
    for record in records_from(settings, dict.fromkeys(partitions([FRAUD_ALERTS]), 0)):
        yield msgspec.json.decode(record.value, type=FraudAlert)
