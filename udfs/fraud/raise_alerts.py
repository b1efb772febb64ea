"""The alert stage as a Flink function: keyed by card, one state value, one event-time timer at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueState, ValueStateDescriptor

from events import FraudAlert
from udfs.fraud.alerts import CASE_STATE, Case, Suspicion, next_time, pass_time, suspect
from udfs.keyed_state import move_timer

_decoder = msgspec.json.Decoder(Suspicion)


class RaiseAlerts(KeyedProcessFunction):  # type: ignore[misc]
    """(card_id, Suspicion as JSON), keyed by card → `FraudAlert`s, each passed through `address`."""

    _state: ValueState

    def __init__(self, address: Callable[[FraudAlert], Any]) -> None:
        self._address = address

    def open(self, runtime_context: RuntimeContext) -> None:
        self._state = runtime_context.get_state(ValueStateDescriptor("cases", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: tuple[str, str], ctx: Any) -> Iterator[Any]:
        before = CASE_STATE.decode(self._state.value())
        after, alert = suspect(before, _decoder.decode(value[1]))
        self._keep(before, after, ctx)
        if alert:
            yield self._address(alert)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        before = CASE_STATE.decode(self._state.value())
        after, alerts = pass_time(before, timestamp)
        self._keep(before, after, ctx, fired=timestamp)
        yield from map(self._address, alerts)

    def _keep(self, before: tuple[Case, ...], after: tuple[Case, ...], ctx: Any, fired: int | None = None) -> None:
        if after:
            self._state.update(CASE_STATE.encode(after))
        else:
            self._state.clear()
        move_timer(ctx.timer_service(), next_time(before), next_time(after), fired)
