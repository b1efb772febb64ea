"""Functions of `keyed_process`, in a separate module since those of the main module are pickled by value."""

from collections.abc import Iterator
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueState, ValueStateDescriptor

from connectors.kafka import topics
from connectors.kafka.outgoing import outgoing
from events import Payment
from tests.bench.contenders.peer_logic import Past, alert, features, remember, rules
from udfs.fraud.alerts import CASE_STATE
from udfs.fraud.rules import Rules

_decode_payment = msgspec.json.Decoder(Payment).decode
_decode_day, _encode_day = msgspec.msgpack.Decoder(list[Past]).decode, msgspec.msgpack.Encoder().encode


class DetectFraud(KeyedProcessFunction):  # type: ignore[misc]
    """(card_id, payment as JSON), keyed by card → alerts as `OUTGOING` rows."""

    _rules: Rules
    _day: ValueState
    _cases: ValueState

    def open(self, runtime_context: RuntimeContext) -> None:
        self._rules = rules()
        self._day = runtime_context.get_state(ValueStateDescriptor("day", Types.PICKLED_BYTE_ARRAY()))
        self._cases = runtime_context.get_state(ValueStateDescriptor("cases", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Row, ctx: Any) -> Iterator[Row]:  # noqa: ARG002
        payment = _decode_payment(value[1])
        written = self._day.value()
        day, last = remember(_decode_day(written) if written else [], payment)
        self._day.update(_encode_day(day))
        cases, raised = alert(self._rules, payment, features(day, last), CASE_STATE.decode(self._cases.value()))
        if cases:
            self._cases.update(CASE_STATE.encode(cases))
        if raised:
            yield outgoing(topics.FRAUD_ALERTS, payment.card_id.encode(), raised)
