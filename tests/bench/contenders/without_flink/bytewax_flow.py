"""bytewax, with recovery: `python -m bytewax.run tests.bench.contenders.without_flink.bytewax_flow:flow -r FOLDER`."""

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow

from events import FraudAlert, Payment
from tests.bench.contenders.peer_logic import Past, alert, features, remember, rules
from tests.bench.contenders.settings import Run
from udfs.fraud.alerts import Case

State = tuple[list[Past], tuple[Case, ...]]
"""State of a card; small, since each card that had a payment is pickled at each snapshot."""

_decode, _encode = msgspec.json.Decoder(Payment).decode, msgspec.json.Encoder().encode
_rules = rules()


def keyed(message: KafkaSourceMessage[bytes | None, bytes | None]) -> tuple[str, Payment]:
    """Return a payment with its card as key."""
    payment = _decode(message.value or b"")
    return payment.card_id, payment


def judge(state: State | None, payment: Payment) -> tuple[State, list[FraudAlert]]:
    """Return the new state of a card, and the alerts that a payment raises."""
    day, cases = state or ([], ())
    day, last = remember(day, payment)
    cases, raised = alert(_rules, payment, features(day, last), cases)
    return (day, cases), [raised] if raised else []


def message(keyed: tuple[str, FraudAlert]) -> KafkaSinkMessage[bytes, bytes]:
    """Return the record of an alert."""
    return KafkaSinkMessage(keyed[0].encode(), _encode(keyed[1]))


run = Run.from_environment()
flow = Dataflow("fraud")
# one KafkaSourceMessage a record
records = kafka.input("payments", flow, brokers=[run.bootstrap_servers], topics=[run.payments])
# by card: its payments
payments = op.map("decode", records.oks, keyed)
# by card: its alerts
alerts = op.stateful_flat_map("judge", payments, judge)
kafka.output("alerts", op.map("encode", alerts, message), brokers=[run.bootstrap_servers], topic=run.alerts)
