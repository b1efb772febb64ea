"""The rules as an SQL function: judge_payment(event_time, facts…) → a verdict as JSON, or NULL."""

from collections.abc import Sequence

import msgspec
from pyflink.table.udf import FunctionContext, ScalarFunction

from udfs.conditions.facts import Value
from udfs.fraud.features import Feature
from udfs.fraud.rule_filter_client import RuleFilterClient, filters_of_this_jvm
from udfs.fraud.rules import RulesetHistory
from udfs.fraud.ruleset_sources import Rulesets


class JudgePayment(ScalarFunction):  # type: ignore[misc]
    """Judges one payment by the ruleset that was in force at its event time.

    Few payments reach it: it passes the rules' conditions to the filter in the JVM, which keeps back payments that
    can't break any rule.
    """

    def __init__(self, rulesets: Rulesets, features: Sequence[Feature], base_currency: str, filter_id: str) -> None:
        self._rulesets = rulesets
        self._features = features
        self._base_currency = base_currency
        self._filter_id = filter_id
        self._filter: RuleFilterClient | None = None
        self._history: RulesetHistory | None = None

    def open(self, _function_context: FunctionContext) -> None:
        self._filter = RuleFilterClient(filters_of_this_jvm(), self._filter_id)
        self._history = RulesetHistory(self._features, self._base_currency, self._filter.hand_over)
        try:
            self._rulesets.open(self._history, self._filter)
        except BaseException:
            self._filter.close()
            raise
        self._filter.ready()

    def close(self) -> None:
        self._rulesets.close()
        if self._filter is not None:
            self._filter.close()

    def is_deterministic(self) -> bool:
        """Return False: results depend on the rulesets, so the planner must neither fold nor repeat a call."""
        return False

    def eval(self, event_time: int, *facts: Value) -> str | None:
        """Judge one payment; return the verdict as JSON, or None.

        Args:
            event_time: UTC milliseconds.
            facts: in the order of `udfs.fraud.rules.fact_names`.
        """
        self._rulesets.check()
        rules = self._history.at(event_time)  # type: ignore[union-attr]
        verdict = rules.judge(*facts) if rules else None
        return msgspec.json.encode(verdict).decode() if verdict else None
