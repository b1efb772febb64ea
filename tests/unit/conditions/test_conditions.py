import math

import pytest

from udfs.conditions.compiler import compiled, ratio
from udfs.conditions.errors import ConditionError
from udfs.conditions.grammar import parse_condition
from udfs.fraud.features import payment_features
from udfs.fraud.rules import facts

FACTS = facts(payment_features())


def is_broken(condition: str, **values: object) -> bool:
    known = dict.fromkeys(FACTS) | values
    return compiled([parse_condition(condition, FACTS, "EUR")], tuple(known))(*known.values()) == [0]


@pytest.mark.parametrize(
    ("condition", "values", "broken"),
    [
        ("count_10m >= 4", {"count_10m": 4}, True),
        ("count_10m >= 4", {"count_10m": 3}, False),
        ("4 <= count_10m", {"count_10m": 4}, True),
        ("sum_1h > 500.00 EUR", {"sum_1h": 500_01}, True),
        ("sum_1h > 500.00 EUR", {"sum_1h": 500_00}, False),
        ("seconds_from_previous < 2 minutes", {"seconds_from_previous": 119.9}, True),
        ("km_from_previous / seconds_from_previous > 900 km/h",
         {"km_from_previous": 1000.0, "seconds_from_previous": 3600.0}, True),
        ("km_from_previous / seconds_from_previous > 900 km/h",
         {"km_from_previous": 800.0, "seconds_from_previous": 3600.0}, False),
        ("base_amount_minor > 5 * avg_24h", {"base_amount_minor": 51, "avg_24h": 10.0}, True),
        ("country = 'DE'", {"country": "DE"}, True),
        ("country not in ('DE', 'FR')", {"country": "ES"}, True),
        ("country != previous_country", {"country": "ES", "previous_country": "DE"}, True),
        ("previous_country is null", {}, True),
        ("not (count_1m >= 2 or channel = 'online')", {"count_1m": 1, "channel": "card_present"}, True),
        ("count_1m = 1 or count_1m = 2 and channel = 'online'", {"count_1m": 1, "channel": "card_present"}, True),
        ("country = 'it''s'", {"country": "it's"}, True),
        ("count_1m >= 4 AND declined_10m >= 3", {"count_1m": 4, "declined_10m": 2}, False),
        ("count_1m >= 4 OR declined_10m >= 3", {"count_1m": 4, "declined_10m": 2}, True),
        ("NOT count_1m >= 4", {"count_1m": 3}, True),
        ("sum_1h > 9999999999999.99 EUR", {"sum_1h": 10**15}, True),
    ],
)  # fmt: skip
def test_condition_decides_as_its_text_states(condition: str, values: dict[str, object], broken: bool) -> None:
    assert is_broken(condition, **values) is broken


@pytest.mark.parametrize(
    "condition",
    [
        "km_from_previous > 500 km",
        "not km_from_previous > 500 km",
        "country != previous_country",
        "previous_country in ('DE')",
        "previous_country not in ('DE')",
    ],
)
def test_comparison_with_a_missing_value_and_its_opposite_are_not_true(condition: str) -> None:
    assert not is_broken(condition, country="DE")


def test_distance_in_no_time_is_an_infinite_speed() -> None:
    assert is_broken(
        "km_from_previous / seconds_from_previous > 900 km/h", km_from_previous=1.0, seconds_from_previous=0.0
    )
    assert math.isnan(ratio(0, 0))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("count_10 >= 4", "at character 1: unknown feature 'count_10'; did you mean count_10m?"),
        ("sum_1h > 500", "at character 10: money is compared with a plain number; write 500.00 EUR"),
        ("sum_1h > 500.00 USD", "at character 17: features hold money in EUR, not in USD; write the threshold in EUR"),
        ("sum_1h > 500.001 EUR", "at character 10: 500.001 EUR has too many decimals; round it"),
        ("count_1h > 500.00 EUR", "at character 12: a plain number is compared with money"),
        ("seconds_from_previous < 5", "a time is compared with a plain number; write 2 minutes"),
        ("km_from_previous > 5 miles", "at character 22: unknown unit 'miles'"),
        ("country = DE", "at character 11: unknown feature 'DE'"),
        ("country = 5", "country is text, but '5' is not; write it in quotes: 'DE'"),
        ("country > 'DE'", "expected =, != or in, since country is text"),
        ("amount_minor > 5.00 EUR", "it is in the payment's own currency: use base_amount_minor"),
        ("recent_payments = 'p1'", "it is evidence for the alert"),
        ("count_1m > ", "found 'the end'; expected a feature or a number"),
        ("count_1m >= 4 count_1h > 5", "at character 15: found 'count_1h'; expected and, or, or the end"),
        ("(count_1m >= 4", "expected )"),
        ("4 > 3", "two constants are compared"),
        ("count_1m # 4", "at character 10: unexpected '#'"),
        ("count_1m >= ٤", "at character 13: unexpected '٤'"),
        ("count_1m < " + "9" * 310, f"at character 12: '{'9' * 40}…' has more than 15 digits; use fewer"),
        ("count_1m < 1234567.890123456", "at character 12: '1234567.890123456' has more than 15 digits"),
        (f"seconds_from_previous < {'9' * 15} hours", "999999999999999 hours is too large; no feature reaches it"),
        ("(" * 250 + "count_1m > 1" + ")" * 250, "at character 21: more than 20 parentheses and `not` are around each"),
        ("not " * 250 + "count_1m > 1", "at character 81: more than 20 parentheses and `not` are around each other"),
        ("count_1m" + " * 2" * 10 + " > 5", "at character 46: more than 10 factors are in one product"),
        (" or ".join(["count_1m > 5"] * 300), "at character 4001: this is longer than 4,000 characters"),
        ("(count_1h < 1 or count_1m < 1) and "
         + " and ".join(f"(count_1h != {i} or count_1m != {i})" for i in range(1, 24)),
         "at character 1: this has too many alternatives to find contradictions in; split it into several rules"),
        ("a" * 100 + " > 1", f"at character 1: unknown feature '{'a' * 40}…'; there are"),
    ],
)  # fmt: skip
def test_mistake_is_reported_with_its_place_and_a_correction(condition: str, expected: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_condition(condition, FACTS, "EUR")

    assert expected in str(raised.value)


@pytest.mark.parametrize(
    "condition",
    [
        "count_1m > 5 and count_1m < 3",
        "count_1m > 5 and count_1m <= 5",
        "count_1m = 5 and count_1m != 5",
        "count_1m < 1",
        "sum_1h < 0.00 EUR",
        "country = 'DE' and country = 'FR'",
        "country in ('DE', 'FR') and country not in ('FR', 'DE')",
        "previous_country is null and previous_country = 'DE'",
        "km_from_previous is null and km_from_previous > 5 km",
        "(count_1m > 5 or count_1h > 9) and count_1m < 2 and count_1h < 2",
        " and ".join(f"(count_1m = {i} or count_1h = {i})" for i in range(1, 23)),
    ],
)
def test_a_contradiction_is_found(condition: str) -> None:
    with pytest.raises(ConditionError, match="can never be true"):
        parse_condition(condition, FACTS, "EUR")


@pytest.mark.parametrize("condition", ["count_1m >= 1", "count_1m >= 4 or count_1m < 4"])
def test_a_condition_that_every_payment_meets_is_found(condition: str) -> None:
    with pytest.raises(ConditionError, match="always true"):
        parse_condition(condition, FACTS, "EUR")


def test_many_alternatives_are_accepted_where_one_of_them_can_be_true() -> None:
    text = " and ".join(f"(count_1m > {i} or sum_1m > {i}.00 EUR)" for i in range(22))

    assert is_broken(text, count_1m=22, sum_1m=0)


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("count_1m > 5 and count_1m < 7", {"count_1m": 6}),
        ("count_1m >= 5 and count_1m <= 5", {"count_1m": 5}),
        ("declined_10m = 0", {"declined_10m": 0}),
    ],
)
def test_narrow_bounds_are_no_contradiction(condition: str, values: dict[str, object]) -> None:
    assert is_broken(condition, **values)
