"""Flink function for notifications: keyed by recipient, one state value, one event-time timer at a time."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueState, ValueStateDescriptor

from events import DeadLetter, Notification
from udfs.keyed_state import move_timer
from udfs.notifications.decisions import Decision, Dropped, RecipientLogic
from udfs.notifications.input import alert_event, contact, order_event
from udfs.notifications.notification_policy import Policy
from udfs.notifications.state import NOBODY, RECIPIENT_STATE, Recipient
from udfs.source_records import SourceRecord

RECIPIENT = 1
"""Index of the column that the rows are keyed by."""


class Notify(KeyedProcessFunction):  # type: ignore[misc]
    """Rows of `records_of_recipients` → notifications and dead letters, each passed through `address`."""

    _state: ValueState

    def __init__(self, policy: Policy, job: str, address: Callable[[Notification | DeadLetter], Any]) -> None:
        self._policy = policy
        self._job = job
        self._address = address

    def open(self, runtime_context: RuntimeContext) -> None:
        self._state = runtime_context.get_state(ValueStateDescriptor("recipient", Types.PICKLED_BYTE_ARRAY()))
        metrics = runtime_context.get_metrics_group()
        self._dropped = {reason: metrics.counter(f"dropped_{reason}") for reason in get_args(Dropped)}

    def process_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        kind, recipient_id, _, topic, partition, offset, key, headers, payload, error, watermark = value
        record = SourceRecord(
            topic=topic,
            partition=partition,
            offset=offset,
            event_time=ctx.timestamp(),
            key=key,
            headers=headers or {},
            payload=payload,
        )
        if error is not None:
            yield self._address(record.dead_letter(error, self._job))
            return
        before = RECIPIENT_STATE.decode(self._state.value())
        # After a restore this operator's own watermark is unknown until the next one arrives.
        now = ctx.timer_service().current_watermark()
        if watermark is not None:
            now = max(now, watermark)
        logic = RecipientLogic(self._policy, recipient_id, before)
        try:
            if kind == "customer":
                decision = logic.on_customer(contact(record), now)
            elif kind == "alert":
                decision = logic.on_event(alert_event(record), now)
            else:
                decision = logic.on_event(order_event(record), now)
        except msgspec.ValidationError as mistake:
            # The tables reject such a record; if one arrives in another way, it must not fail the job repeatedly.
            yield self._address(record.dead_letter(str(mistake), self._job))
            return
        yield from self._carry_out(before, decision, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        before = RECIPIENT_STATE.decode(self._state.value())
        decision = RecipientLogic(self._policy, ctx.get_current_key(), before).on_timer(timestamp)
        yield from self._carry_out(before, decision, ctx, fired=timestamp)

    def _carry_out(self, before: Recipient, decision: Decision, ctx: Any, fired: int | None = None) -> Iterator[Any]:
        after = decision.recipient
        if after == NOBODY:
            self._state.clear()
        elif after != before:
            self._state.update(RECIPIENT_STATE.encode(after))
        move_timer(ctx.timer_service(), before.next_at, after.next_at, fired)
        for reason in decision.dropped:
            self._dropped[reason].inc()
        yield from map(self._address, decision.notifications)
        for record, why in decision.rejected:
            yield self._address(record.dead_letter(why, self._job))
