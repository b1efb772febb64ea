"""The rules as an SQL function: judge_payment(event_time, facts…) → a verdict as JSON, or NULL."""

from collections.abc import Sequence

import msgspec
from pyflink.table.udf import FunctionContext, ScalarFunction

from udfs.conditions import Value
from udfs.features import Feature
from udfs.rules import RulesetHistory
from udfs.ruleset_reader import Rulesets

_CHECK_EVERY = 1024


class JudgePayment(ScalarFunction):  # type: ignore[misc]
    """Judges one payment by the ruleset that was in force at its event time."""

    def __init__(self, rulesets: Rulesets, features: Sequence[Feature], base_currency: str) -> None:
        self._rulesets = rulesets
        self._features = features
        self._base_currency = base_currency
        self._history: RulesetHistory | None = None
        self._until_check = _CHECK_EVERY

    def open(self, _function_context: FunctionContext) -> None:
        self._history = self._rulesets.open(self._features, self._base_currency)

    def close(self) -> None:
        self._rulesets.close()

    def is_deterministic(self) -> bool:
        """False: it depends on the rulesets, so the planner must neither fold nor repeat a call."""
        return False

    def eval(self, event_time: int, *facts: Value) -> str | None:
        """
        Args:
            event_time: UTC milliseconds.
            facts: in the order of `udfs.rules.fact_names`.
        """
        self._until_check -= 1
        if not self._until_check:
            self._until_check = _CHECK_EVERY
            self._rulesets.check()
        rules = self._history.at(event_time)  # type: ignore[union-attr]
        verdict = rules.judge(*facts) if rules else None
        return msgspec.json.encode(verdict).decode() if verdict else None
