import json
from typing import Any

import pytest

from tests.builders.events import rule, ruleset
from tests.reference_runs.fraud_detection import default_ruleset
from udfs.conditions.tree import IsTrue
from udfs.fraud.features import payment_features
from udfs.fraud.rule_filter import program
from udfs.fraud.rules import Rules, filter_facts

FEATURES = payment_features()
PLACE = {name: place for place, name in enumerate(filter_facts(FEATURES))}
COUNT, SUM, COUNTRY = PLACE["count_1m"], PLACE["sum_1m"], PLACE["country"]


def tree(*conditions: str | None) -> Any:
    rules = [rule(f"r{i}", text, function=None if text else "just_below_a_limit") for i, text in enumerate(conditions)]
    written = json.loads(Rules(ruleset(*rules), FEATURES, "EUR").filter_program)
    assert written["facts"] == len(PLACE)
    return written["when"]


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("count_1m >= 4", {">=": [{"fact": COUNT}, {"number": 4}]}),
        ("sum_1m > 2.5 * base_amount_minor",
         {">": [{"fact": SUM}, {"*": [{"number": 2.5}, {"fact": PLACE["base_amount_minor"]}]}]}),
        ("sum_1m / count_1m != 5.00 EUR", {"!=": [{"/": [{"fact": SUM}, {"fact": COUNT}]}, {"number": 500}]}),
        ("country in ('DE', 'ÅX')", {"in": [COUNTRY, "DE", "ÅX"]}),
        ("country != 'DE'", {"not in": [COUNTRY, "DE"]}),
        ("country = previous_country", {"same": [COUNTRY, PLACE["previous_country"]]}),
        ("country != previous_country", {"differ": [COUNTRY, PLACE["previous_country"]]}),
        ("previous_country is null", {"missing": PLACE["previous_country"]}),
        ("previous_country is not null", {"present": PLACE["previous_country"]}),
        ("not (count_1m < 4 or country = 'DE')",
         {"and": [{">=": [{"fact": COUNT}, {"number": 4}]}, {"not in": [COUNTRY, "DE"]}]}),
    ],
)  # fmt: skip
def test_condition_is_written_as_a_tree(condition: str, written: object) -> None:
    assert tree(condition) == {"or": [written]}


@pytest.mark.parametrize(("negated", "written"), [(False, "set"), (True, "unset")])
def test_flag_is_written_as_a_tree_although_payments_have_none(negated: bool, written: str) -> None:
    assert json.loads(program([IsTrue("country", negated)], tuple(PLACE)))["when"] == {"or": [{written: COUNTRY}]}


def test_any_rule_may_be_broken() -> None:
    assert len(tree("count_1m >= 4", "country = 'DE'")["or"]) == 2


def test_any_payment_may_break_a_rule_that_has_only_a_function() -> None:
    assert tree("count_1m >= 4", None) == {"all": True}


def test_rule_that_is_off_lets_nothing_pass() -> None:
    rules = Rules(ruleset(rule("a", status="off"), rule("b", "count_1m >= 5")), FEATURES, "EUR")

    assert json.loads(rules.filter_program)["when"] == {"or": [{">=": [{"fact": COUNT}, {"number": 5}]}]}


def test_facts_that_no_condition_can_use_are_left_out() -> None:
    assert "recent_payments" not in PLACE


def test_default_rules_need_only_some_payments() -> None:
    written = json.loads(Rules(default_ruleset(), FEATURES, "EUR").filter_program)

    assert len(written["when"]["or"]) == len(default_ruleset().rules)
