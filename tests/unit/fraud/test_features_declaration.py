"""Parsing of features declarations: wrong ones are refused with the place and the correction."""

import pytest

from tests.builders.wrong_declarations import COLUMNS, WRONG_DECLARATIONS
from udfs.fraud.features import DeclarationError, Feature, Where, parse_declaration, payment_columns, payment_features

KINDS = {name: kind for name, (_, kind) in COLUMNS.items()}


def parse_one(declaration: str) -> Feature:
    (feature,) = parse_declaration(declaration, KINDS)
    return feature


def test_commas_or_newlines_separate_features_and_comments_are_ignored() -> None:
    features = parse_declaration(
        """
        -- how busy the card is
        a = count() over 1 minute,   -- with a comma
        b = count() over 1 minute
        c = count() over 1 minute, d = count() over 1 minute -- the last one
        """,
        KINDS,
    )

    assert [feature.name for feature in features] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("window", "milliseconds"),
    [
        ("1 second", 1_000),
        ("90 seconds", 90_000),
        ("2 minutes", 120_000),
        ("24 hours", 86_400_000),
        ("1 HOUR", 3_600_000),
    ],
)
def test_window_is_given_in_seconds_minutes_or_hours(window: str, milliseconds: int) -> None:
    assert parse_one(f"n = count() over {window}").window_ms == milliseconds


def test_where_compares_a_column_with_text_with_doubled_quotes() -> None:
    feature = parse_one("n = count() over 1 minute where country = 'Côte d''Ivoire -- not a comment'")

    assert feature.where == Where(column="country", value="Côte d'Ivoire -- not a comment")


def test_previous_values_have_no_window_and_may_have_a_where() -> None:
    feature = parse_one("p = previous(amount_minor) where country = 'FR'")

    assert feature == Feature("p", "previous", ("amount_minor",), None, Where("country", "FR"), "money")


def test_recent_has_a_limit() -> None:
    feature = parse_one("r = recent(payment_id, 20) over 10 minutes")

    assert (feature.columns, feature.limit) == (("payment_id",), 20)


@pytest.mark.parametrize(
    ("definition", "unit"),
    [
        ("count() over 1 hour", "count"),
        ("distinct(amount_minor) over 1 hour", "count"),
        ("sum(amount_minor) over 1 hour", "money"),
        ("avg(amount_minor) over 1 hour", "money"),
        ("max(latitude) over 1 hour", "number"),
        ("previous(country)", "text"),
        ("previous(latitude)", "number"),
        ("seconds_since_previous()", "seconds"),
        ("distance_km_from_previous(latitude, longitude)", "km"),
        ("recent(country, 5) over 1 hour", "list"),
    ],
)
def test_feature_has_the_unit_of_its_values(definition: str, unit: str) -> None:
    assert parse_one(f"f = {definition}").unit == unit


@pytest.mark.parametrize(("declaration", "message"), WRONG_DECLARATIONS)
def test_invalid_declaration_is_refused_with_its_place_and_remedy(declaration: str, message: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        parse_declaration(declaration, KINDS)

    assert str(refusal.value) == message
    assert message.startswith(f"line {refusal.value.line}, column {refusal.value.column}: {refusal.value.what}; ")


def test_features_of_payments_fit_the_columns_of_payments() -> None:
    units = {feature.name: feature.unit for feature in payment_features()}

    assert units["sum_1h"] == "money"
    assert units["previous_country"] == "text"
    assert units["km_from_previous"] == "km"


def test_row_time_of_a_payment_is_no_column_for_a_feature() -> None:
    columns = payment_columns()

    assert columns["event_time"] == "other"
    assert columns["order_id"] == "text"
    assert columns["base_amount_minor"] == "integer"
