"""Order in which a filter gets rules. `tests/cluster/jvm/test_rule_filter.py` tests what the filter does with them."""

from typing import Any

import pytest

from connectors.kafka.rulesets import RulesetsUnavailableError
from events import Ruleset
from tests.builders.events import event_time, rule, ruleset
from udfs.fraud.features import payment_features
from udfs.fraud.judge_payment import JudgePayment
from udfs.fraud.rule_filter_client import RuleFilterClient, filters_of_this_jvm
from udfs.fraud.rules import Rules, RulesetError, RulesetHistory
from udfs.fraud.ruleset_sources import FixedRulesets, RulesetListener

FEATURES = payment_features()


class NotedFilters:
    """Filters that record their calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def open(self, filter_id: str) -> int:
        self.calls.append(("open", filter_id))
        return 7

    def put(self, filter_id: str, follower: int, effective_from: int, version: int, program: str) -> None:
        self.calls.append(("put", filter_id, follower, effective_from, version, program))

    def ready(self, filter_id: str, follower: int) -> None:
        self.calls.append(("ready", filter_id, follower))

    def failed(self, filter_id: str, follower: int) -> None:
        self.calls.append(("failed", filter_id, follower))

    def isFollowed(self, filter_id: str, follower: int) -> bool:  # noqa: N802 - as Java has it
        return ("open", filter_id) in self.calls and ("close", filter_id, follower) not in self.calls

    def close(self, filter_id: str, follower: int) -> None:
        self.calls.append(("close", filter_id, follower))


def test_version_reaches_the_filter_before_payments_are_judged_by_it() -> None:
    filters = NotedFilters()
    client = RuleFilterClient(filters, "f1")
    known: list[int] = []
    history = RulesetHistory(FEATURES, "EUR", lambda rules: (client.hand_over(rules), known.append(len(history)))[0])

    history.add(ruleset(version=3, at="10:00:00"))

    assert filters.calls == [
        ("open", "f1"),
        ("put", "f1", 7, event_time("10:00:00"), 3, Rules(ruleset(), FEATURES, "EUR").filter_program),
    ]
    assert known == [0]


def test_invalid_or_known_version_does_not_reach_the_filter() -> None:
    announced: list[Rules] = []
    history = RulesetHistory(FEATURES, "EUR", announced.append)

    history.add(ruleset(version=1))
    history.add(ruleset(version=1))
    with pytest.raises(RulesetError):
        history.add(ruleset(rule("a", "nonsense > 1"), version=2))

    assert len(announced) == 1


class FailingRulesets(FixedRulesets):
    def __init__(self, *rulesets: Ruleset) -> None:
        super().__init__(*rulesets)
        self.failed: Any = None

    def open(self, history: RulesetHistory, listener: RulesetListener) -> None:
        self.failed = listener.failed
        super().open(history, listener)


@pytest.fixture
def filters(monkeypatch: pytest.MonkeyPatch) -> NotedFilters:
    filters = NotedFilters()
    monkeypatch.setattr("udfs.fraud.judge_payment.filters_of_this_jvm", lambda: filters)
    return filters


def steps(filters: NotedFilters) -> list[str]:
    return [each[0] for each in filters.calls]


def test_filter_passes_all_payments_until_ready_and_after_the_end(filters: NotedFilters) -> None:
    judge = JudgePayment(FixedRulesets(ruleset(), ruleset(version=2)), FEATURES, "EUR", "f1")

    judge.open(None)
    judge.close()
    judge.close()

    assert steps(filters) == ["open", "put", "put", "ready", "close"]


def test_filter_is_notified_when_new_versions_can_not_be_read(filters: NotedFilters) -> None:
    rulesets = FailingRulesets(ruleset())
    JudgePayment(rulesets, FEATURES, "EUR", "f1").open(None)

    rulesets.failed()

    assert steps(filters) == ["open", "put", "ready", "failed"]


def test_unreadable_rules_leave_no_filter_behind(filters: NotedFilters) -> None:
    class Unavailable(FixedRulesets):
        def open(self, *_: object) -> None:
            raise RulesetsUnavailableError

    with pytest.raises(RulesetsUnavailableError):
        JudgePayment(Unavailable(), FEATURES, "EUR", "f1").open(None)

    assert steps(filters) == ["open", "close"]


def test_every_payment_checks_that_new_versions_can_be_read() -> None:
    class Broken(FixedRulesets):
        def check(self) -> None:
            raise RulesetsUnavailableError

    judge = JudgePayment(Broken(ruleset()), FEATURES, "EUR", "f1")
    judge.open(None)

    with pytest.raises(RulesetsUnavailableError):
        judge.eval(event_time("12:00:00"))


def test_payments_are_judged_without_a_filter_outside_a_jvm() -> None:
    assert filters_of_this_jvm() is None
    judge = JudgePayment(FixedRulesets(ruleset(rule("large", "base_amount_minor > 5.00 EUR"))), FEATURES, "EUR", "f1")

    judge.open(None)

    assert judge.eval(event_time("12:00:00"), 500_01, *[None] * (6 + len(FEATURES))) is not None
    judge.close()
