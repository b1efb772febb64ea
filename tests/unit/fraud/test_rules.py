from typing import Any

import msgspec
import pytest

from events import Payment, Ruleset
from tests.builders.events import event_time, rule, ruleset
from udfs import rule_functions
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import PAYMENT_FACTS, Rules, RulesetError, RulesetHistory, Verdict, fact_names, published_rules

FEATURES = payment_features()


def judge(rules: Ruleset, **facts: Any) -> Verdict | None:
    values = dict.fromkeys(fact_names(FEATURES)) | facts
    return Rules(rules, FEATURES, "EUR").judge(*values.values())


def mistakes(rules: Ruleset) -> str:
    with pytest.raises(RulesetError) as raised:
        Rules(rules, FEATURES, "EUR")
    return str(raised.value)


def test_broken_rules_add_up_to_a_score() -> None:
    rules = ruleset(rule("many", "count_1m >= 4", score=30), rule("much", "sum_1m > 100.00 EUR", score=40))

    verdict = judge(rules, count_1m=4, sum_1m=100_01)

    assert verdict is not None
    assert (verdict.score, [broken.rule for broken in verdict.rules]) == (70, ["many", "much"])
    assert verdict.features["count_1m"] == 4


def test_payment_below_the_alert_score_gives_no_verdict() -> None:
    rules = ruleset(rule("many", "count_1m >= 4", score=30), rule("much", "sum_1m > 100.00 EUR", score=40))

    assert judge(rules, count_1m=4, sum_1m=0) is None


def test_rule_in_shadow_is_reported_and_never_alerts() -> None:
    rules = ruleset(rule("many", "count_1m >= 4"), rule("few", "count_1m >= 2", status="shadow", score=100))

    verdict = judge(rules, count_1m=2)

    assert verdict is not None
    assert (verdict.shadow, verdict.rules, verdict.score) == (("few",), (), 0)


def test_rule_that_is_off_is_never_broken() -> None:
    assert judge(ruleset(rule("many", "count_1m >= 4", status="off")), count_1m=9) is None


def test_function_is_a_rule() -> None:
    rules = ruleset(rule("limit", when=None, function="just_below_a_limit"))

    assert judge(rules, base_amount_minor=99_50) is not None
    assert judge(rules, base_amount_minor=60_00) is None


def test_function_is_called_only_where_its_rule_s_condition_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setitem(rule_functions.RULE_FUNCTIONS, "noting", lambda facts: asked.append(facts["count_10m"]))
    rules = ruleset(rule("noted", "count_10m >= 3", function="noting"))

    assert [judge(rules, count_10m=count) for count in (2, 3, None)] == [None, None, None]
    assert asked == [3]


def test_rule_with_condition_and_function_is_broken_if_both_are_true() -> None:
    rules = ruleset(rule("limit", "count_10m >= 3", function="just_below_a_limit"))

    assert judge(rules, base_amount_minor=99_50, count_10m=3) is not None
    assert judge(rules, base_amount_minor=99_50, count_10m=2) is None
    assert judge(rules, base_amount_minor=60_00, count_10m=3) is None


def test_function_that_raises_is_reported_and_other_rules_still_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    def divides_by_zero(_: object) -> bool:
        return 1 / 0 > 0

    monkeypatch.setitem(rule_functions.RULE_FUNCTIONS, "divides_by_zero", divides_by_zero)
    rules = ruleset(rule("many", "count_1m >= 4"), rule("odd", when=None, function="divides_by_zero"))

    verdict = judge(rules, count_1m=4)

    assert verdict is not None
    assert verdict.failures == ("rule odd: ZeroDivisionError: division by zero",)
    assert [broken.rule for broken in verdict.rules] == ["many"]


def test_every_mistake_of_a_ruleset_is_reported() -> None:
    reported = mistakes(
        ruleset(
            rule("a", "count_1min >= 4"),
            rule("a", "sum_1h > 5"),
            rule("b", when=None),
            rule("c", "count_1m > ", function="nothing"),
            rule("d", "count_1m > 5 and count_1m < 3"),
        )
    )

    assert "rule a: when = 'count_1min >= 4', at character 1: unknown feature" in reported
    assert "rule a: when = 'sum_1h > 5', at character 10: money is compared" in reported
    assert "rule a: the name is used twice" in reported
    assert "rule b: give it `when`, `function`, or both" in reported
    assert "rule c: there is no function 'nothing'" in reported
    assert "rule c: when = 'count_1m > ', at character 12: found 'the end'" in reported
    assert "rule d: when = 'count_1m > 5 and count_1m < 3', at character 1: this can never be true" in reported


def test_alert_score_that_can_not_be_reached_is_a_mistake() -> None:
    assert "all active rules together score 30" in mistakes(ruleset(rule(score=30), alert_score=50))


def test_payment_is_judged_by_the_rules_in_force_at_its_event_time() -> None:
    history = RulesetHistory(FEATURES, "EUR")
    for version, at in ((1, "10:00:00"), (3, "12:00:00"), (2, "11:00:00")):
        history.add(ruleset(version=version, at=at))

    def version_at(at: str) -> int | None:
        rules = history.at(event_time(at))
        return rules.ruleset.version if rules else None

    assert [version_at(at) for at in ("09:59:59", "10:00:00", "10:59:59", "11:00:00", "13:00:00")] == [None, 1, 1, 2, 3]


def test_invalid_version_leaves_the_history_unchanged() -> None:
    history = RulesetHistory(FEATURES, "EUR")
    history.add(ruleset(version=1))

    with pytest.raises(RulesetError):
        history.add(ruleset(rule("a", "nonsense > 1"), version=2))

    assert len(history) == 1


UNUSABLE = {
    "empty": b"",
    "no ruleset": b'{"version": 2}',
    "not UTF-8": msgspec.json.encode(ruleset(version=2)).replace(b"an analyst", b"\xff"),
    "deep": msgspec.json.encode(ruleset(version=2))[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "310 digits": msgspec.json.encode(ruleset(rule("a", "count_1m < " + "9" * 310), version=2)),
    "250 parentheses": msgspec.json.encode(ruleset(rule("a", "(" * 250 + "count_1m > 1" + ")" * 250), version=2)),
    "24 pairs": msgspec.json.encode(
        ruleset(rule("a", " and ".join(f"(count_1m = {i} or count_1h = {i})" for i in range(1, 25))), version=2)
    ),
    "a version that is no 64-bit integer": msgspec.json.encode(ruleset(version=2**63)),
    "a version that leaves no number for the next": msgspec.json.encode(ruleset(version=2**63 - 1)),
    "a time that is no date": msgspec.json.encode(ruleset(version=2, effective_from=10**17)),
    "201 rules": msgspec.json.encode(ruleset(*(rule(f"r{i}") for i in range(201)), version=2)),
    "a line break behind a name": msgspec.json.encode(ruleset(rule("a\n"), version=2)),
    "a long description": msgspec.json.encode(ruleset(rule(description="d" * 1001), version=2)),
    "a long note": msgspec.json.encode(ruleset(version=2, note="n" * 1001)),
    "too large": msgspec.json.encode(ruleset(version=2, note="n" * 500_000)),
}


@pytest.mark.parametrize("value", UNUSABLE.values(), ids=UNUSABLE)
def test_invalid_published_version_is_logged_and_leaves_earlier_ones(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    history = RulesetHistory(FEATURES, "EUR")
    history.add_published(msgspec.json.encode(ruleset(version=1)), "rules-0@0")

    history.add_published(value, "rules-0@1")

    assert len(history) == 1
    [message] = caplog.messages
    assert message.startswith("ignoring the ruleset at rules-0@1: ")
    assert len(message) < 2100


def test_error_of_a_rejected_version_has_its_number_if_it_is_readable() -> None:
    numbers = []
    for value in (UNUSABLE["310 digits"], UNUSABLE["empty"]):
        with pytest.raises(RulesetError) as raised:
            published_rules(value, FEATURES, "EUR")
        numbers.append(raised.value.version)

    assert numbers == [2, None]


def test_long_condition_is_quoted_in_part() -> None:
    assert len(mistakes(ruleset(rule("a", "nonsense > 1 and " * 200)))) < 1000


def test_default_ruleset_is_valid() -> None:
    file = ruleset_files.parse(ruleset_files.default_text())
    rules = ruleset_files.ruleset(file, version=1, effective_from=0, published_at=0, published_by="test")

    Rules(rules, FEATURES, "EUR")

    assert len(rules.rules) == 10
    assert msgspec.json.decode(msgspec.json.encode(rules), type=Ruleset) == rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alert_score = ", "not TOML"),
        (f"alert_score = {'9' * 5000}", "not TOML"),
        (f"alert_score = {'[' * 5000}", "not TOML"),
        ("alert_score = 50\nquiet_minutes = 5\nrule = []", "Expected `array` of length >= 1"),
        ("alert_score = 50\nquiet_minutes = 5\n[[rule]]\nname='a'\nwen='x'", "rule a: unknown field 'wen'"),
        ("alert_score = 'x'\nquiet_minutes = 5\nrule = []", "Expected `int`, got `str` - at `$.alert_score`"),
    ],
)
def test_mistake_in_a_ruleset_file_is_reported(text: str, expected: str) -> None:
    with pytest.raises(RulesetError) as raised:
        ruleset_files.parse(text)

    assert expected in str(raised.value)


def test_facts_of_the_payment_are_columns_of_the_payment() -> None:
    assert set(PAYMENT_FACTS) <= set(Payment.__struct_fields__)
