"""Invalid feature declarations, with the error that both parsers must report."""

from udfs.fraud.features import Kind

COLUMNS: dict[str, tuple[str, Kind]] = {
    "card_id": ("STRING", "text"),
    "payment_id": ("STRING", "text"),
    "amount_minor": ("BIGINT", "integer"),
    "latitude": ("DOUBLE", "double"),
    "longitude": ("DOUBLE", "double"),
    "country": ("STRING", "text"),
    "event_time": ("TIMESTAMP_LTZ(3)", "other"),
}
"""Columns of the table that the declarations are made over: SQL type and kind."""

_SHAPE = "a feature is written name = aggregate(column) over 10 minutes where column = 'text'"
_TEXTS = "the columns that fit are card_id, payment_id, country"

WRONG_DECLARATIONS: list[tuple[str, str]] = [
    ("", f"line 1, column 1: no feature is declared; {_SHAPE}"),
    ("-- nothing yet\n", f"line 2, column 1: no feature is declared; {_SHAPE}"),
    ("n", f"line 1, column 2: expected '=' but found the end; {_SHAPE}"),
    ("n : count()", f"line 1, column 3: unexpected ':'; {_SHAPE}"),
    ("é = count() over 1 minute", f"line 1, column 1: unexpected 'é'; {_SHAPE}"),
    ("7 = count() over 1 minute", f"line 1, column 1: expected the name of a feature but found '7'; {_SHAPE}"),
    (
        "Count1m = count() over 1 minute",
        "line 1, column 1: the name 'Count1m' is not in lower_snake_case; "
        "use small letters, digits and _, and start with a letter",
    ),
    (
        "n = count() over 1 minute, -- first\n  n = count() over 1 hour",
        "line 2, column 3: the name 'n' is taken by the feature on line 1; give the feature another name",
    ),
    (
        "country = previous(country)",
        "line 1, column 1: the name 'country' is taken by an input column; give the feature another name",
    ),
    (
        "is_late = count() over 1 hour",
        "line 1, column 1: the name 'is_late' is taken by an output column that is always there; "
        "give the feature another name",
    ),
    ("n = cuont() over 1 minute", "line 1, column 5: unknown aggregate 'cuont'; did you mean 'count'?"),
    (
        "n = median(amount_minor) over 1 minute",
        "line 1, column 5: unknown aggregate 'median'; the aggregates are count, sum, min, max, avg, distinct, "
        "previous, seconds_since_previous, distance_km_from_previous, recent",
    ),
    (
        "a = previous(country)\nn = distinct(contry) over 1 minute",
        "line 2, column 14: unknown column 'contry'; did you mean 'country'?",
    ),
    (
        "n = distinct(shoe_size) over 1 minute",
        "line 1, column 14: unknown column 'shoe_size'; the columns are card_id, payment_id, amount_minor, latitude, "
        "longitude, country, event_time",
    ),
    (
        "n = sum(country) over 1 minute",
        "line 1, column 9: sum needs a number, but 'country' is text; "
        "the columns that fit are amount_minor, latitude, longitude",
    ),
    (
        "n = recent(amount_minor, 3) over 1 minute",
        f"line 1, column 12: recent needs text, but 'amount_minor' is an integer; {_TEXTS}",
    ),
    (
        "n = previous(event_time)",
        "line 1, column 14: previous needs text or a number, but 'event_time' is neither text nor a number; "
        "the columns that fit are card_id, payment_id, amount_minor, latitude, longitude, country",
    ),
    (
        "n = count() over 1 minute where latitude = '3'",
        f"line 1, column 33: where needs text, but 'latitude' is a double; {_TEXTS}",
    ),
    (
        "n = count() over 1 minute where country = FR",
        "line 1, column 43: expected a text in quotes but found 'FR'; count is written count() over 10 minutes",
    ),
    (
        "n = count() over 1 minute where country = 'FR",
        "line 1, column 43: the text that starts here doesn't end on its line; close it with '",
    ),
    (
        "n = count() over 1 minute where country = 'it''",
        "line 1, column 43: the text that starts here doesn't end on its line; close it with '",
    ),
    (
        "n = count(country) over 1 minute",
        "line 1, column 11: expected ')' but found 'country'; count is written count() over 10 minutes",
    ),
    (
        "n = sum() over 1 minute",
        "line 1, column 9: expected a column but found ')'; sum is written sum(column) over 10 minutes",
    ),
    (
        "n = count()\nover 1 minute",
        "line 1, column 12: expected 'over' but found the end of the line; count is written count() over 10 minutes",
    ),
    (
        "n = previous(country) over 1 minute",
        "line 1, column 23: expected the end of the feature but found 'over'; previous is written previous(column)",
    ),
    (
        "n = distance_km_from_previous(latitude)",
        "line 1, column 39: expected ',' but found ')'; distance_km_from_previous is written "
        "distance_km_from_previous(latitude_column, longitude_column)",
    ),
    (
        "n = recent(payment_id, 51) over 1 minute",
        "line 1, column 24: recent keeps 1 to 50 values, not 51; use a number from 1 to 50",
    ),
    (
        "n = count() over 1 day",
        "line 1, column 20: unknown unit 'day'; the units are second, seconds, minute, minutes, hour, hours",
    ),
    ("n = count() over 0 hours", "line 1, column 18: a window of 0 hours is empty; use at least 1"),
    (
        "n = count() over 1441 minutes",
        "line 1, column 18: a window of 1441 minutes is too long; the longest window is 24 hours",
    ),
    (
        "n = count() over 9999999999 seconds",
        "line 1, column 18: the number 9999999999 is too long; use at most 9 digits",
    ),
    (
        "n = count() over 1 minute m = count() over 1 hour",
        "line 1, column 27: expected the end of the feature but found 'm'; count is written count() over 10 minutes",
    ),
]
