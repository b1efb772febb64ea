"""Masking of cards, addresses, phone numbers and secrets, and escapes of characters that control a terminal."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.masking import (
    LONGEST_SHOWN,
    harmless,
    is_card_number,
    kind_of_reason,
    masked,
    shown,
    shown_field,
    shown_payload,
)

CARDS = [
    "4111111111111111",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "4222222222222",
]
CARDS += ["6011111111111117", "3530111333300000", "6799990100000000019"]


def with_check_digit(digits: str) -> str:
    """A number that passes Luhn's test."""
    return next(digits + last for last in "0123456789" if is_card_number(digits + last))


card_numbers = st.from_regex(r"\A[3-6][0-9]{13,17}\Z").map(with_check_digit)


@pytest.mark.parametrize("card", CARDS)
def test_card_number_shows_its_last_four_digits(card: str) -> None:
    assert masked(f"card {card}, declined") == f"card •••{card[-4:]}, declined"


@pytest.mark.parametrize(
    "number", ["4111111111111112", "1740830401238", "20260301120008", "12345678901", "1795627411728006"]
)
def test_other_numbers_are_not_masked(number: str) -> None:
    assert masked(f"number {number}") == f"number {number}"


@pytest.mark.parametrize("glue", [" ", "-", ".", "\u200b", "\x00", "\x1b", " - "[1:]])
def test_card_number_with_separators_is_masked(glue: str) -> None:
    assert masked(glue.join(["4111", "1111", "1111", "1111"])) == "•••1111"


def test_card_number_beside_other_digits_is_masked() -> None:
    assert masked("4111111111111111 12/29 123") == "•••1111 12/29 123"
    assert masked("7 4111 1111 1111 1111 123") == "7 •••1111 123"


@given(
    card_numbers,
    st.sampled_from(['{{"note": "{}"}}', '{{"n": {}}}', "[{}, 1]", '{{"{}": 1}}', "x={}", '{{"a": "b {}', "{}\xff"]),
)
def test_card_number_in_any_text_is_masked(card: str, place: str) -> None:
    assert card not in shown_payload(place.format(card).encode("latin-1"))


def test_card_number_as_a_float_is_masked() -> None:
    assert "4111111111111111" not in shown_payload(b'{"n": 4111111111111111.0}')


@pytest.mark.parametrize(
    ("name", "value", "shown_as"),
    [
        ("card_id", "card-0151922", "•••1922"),
        ("cardId", "card-0151922", "•••1922"),
        ("card_id", "c1", "•••"),
        ("password", "hunter2", "•••"),
        ("db.password", "hunter2", "•••"),
        ("accessToken", "abc", "•••"),
        ("X-Api-Key", "abc", "•••"),
        ("pin", 1234, "•••"),
        ("phone", "0170 1234567", "•••"),
        ("customer_email", "nobody", "•••"),
        ("credentials", {"user": "a"}, "•••"),
        ("card_id", None, None),
        ("shipping", "fast", "fast"),
        ("card_country", "DE", "DE"),
        ("customer_id", "customer-1", "customer-1"),
    ],
)
def test_field_with_a_secret_name_is_masked_whatever_its_value(name: str, value: Any, shown_as: Any) -> None:
    assert json.loads(shown_payload(json.dumps({"a": [{name: value}]}).encode())) == {"a": [{name: shown_as}]}


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ('{"card_id": "card-0151922", "amount', '{"card_id": "•••1922", "amount'),
        ('{"card_id": "card-01519', '{"card_id": "•••1519'),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": •••}'),
        ("user=ann&password=hunter2&page=1", "user=ann&password=•••&page=1"),
        ("Authorization: Bearer abc.def", "Authorization: ••• •••"),
        ("Basic dXNlcjpwYXNz", "Basic •••"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "•••"),
        ("postgresql://ann:hunter2@db/shop", "postgresql://ann:•••@db/shop"),
        ("mail ann.lee+x@mail.example.org now", "mail ••• now"),
        ("call +49 (170) 123-4567 now", "call ••• now"),
        ("call 0049 170 1234567", "call •••"),
        (
            'currency "euro" doesn\'t match ^[A-Z]{3}$ (byte 200)',
            'currency "euro" doesn\'t match ^[A-Z]{3}$ (byte 200)',
        ),
        ("2026-03-01 12:00:05.123 UTC", "2026-03-01 12:00:05.123 UTC"),
        ("card_id: null", "card_id: null"),
    ],
)
def test_text_that_is_no_json_is_masked_by_its_form(text: str, shown_as: str) -> None:
    assert masked(text) == shown_as


def test_json_within_json_is_masked() -> None:
    inner = json.dumps({"password": "hunter2", "card": "4111111111111111"})

    assert "hunter2" not in shown_payload(json.dumps({"body": inner}).encode())


@pytest.mark.parametrize("name", ["Authorization", "cookie", "x-auth-token"])
def test_secret_header_is_masked(name: str) -> None:
    assert shown_field(name, b"abc\xff") == "•••"


def test_missing_header_and_empty_header_are_shown_differently() -> None:
    assert (shown_field("trace", None), shown_field("trace", b"")) == ("none", "")


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_shown_text_never_controls_the_terminal(text: str) -> None:
    assert all(each.isprintable() for each in harmless(text))
    harmless(text).encode()


@pytest.mark.parametrize(
    ("data", "shown_as"),
    [
        (b"a\x1b[31mb", r"a\x1b[31mb"),
        (b"a\nb\rc\td", r"a\nb\rc\td"),
        ("a\u202eb\u2066c\u200d".encode(), r"a\u202eb\u2066c\u200d"),
        (b"a\x9bb", r"a\x9bb"),
        (b"\xff\x00", r"\xff\x00"),
        ("\U000e0041".encode(), r"\U000e0041"),
        ("Grüße 東京".encode(), "Grüße 東京"),
    ],
)
def test_invisible_character_is_escaped(data: bytes, shown_as: str) -> None:
    assert shown_payload(data) == shown_as


def test_json_is_shown_with_one_field_per_line_and_escaped() -> None:
    assert shown_payload(b'{"a": "x\\u001b\\u202e", "b": [1, 2.50]}').splitlines() == [
        "{",
        '  "a": "x\\u001b\\u202e",',
        '  "b": [',
        "    1,",
        "    2.5",
        "  ]",
        "}",
    ]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[" * 100_000, '{"n": 1' + "0" * 5000 + "}", "{} {}"])
def test_json_with_repeated_names_is_shown_unparsed(text: str) -> None:
    assert shown_payload(text.encode()) in (
        text,
        f"{text[:LONGEST_SHOWN]}\n… {len(text) - LONGEST_SHOWN:,} characters more; export it to see all",
    )


@pytest.mark.parametrize("piece", ["a", "a.", "1 ", '"', "eyJ-", "://a:", '\\"', "4", "a=", " "])
def test_large_payload_is_masked_in_linear_time(piece: str) -> None:
    began = time.perf_counter()
    shown(piece * 50_000)

    assert time.perf_counter() - began < 20


def test_reasons_that_differ_in_values_are_of_one_kind() -> None:
    reasons = [
        f'lines[{number}].currency "x{number}" doesn\'t match ^[A-Z]{{3}}$ (byte {number})' for number in range(200)
    ]
    reasons += [
        f"customer-{number} isn't known to 6ba7b810-9dad-11d1-80b4-00c04fd4{number:04x}" for number in range(200, 400)
    ]

    assert {kind_of_reason(reason) for reason in reasons} == {
        'lines[N].currency "…" doesn\'t match ^[A-Z]{3}$ (byte N)',
        "… isn't known to …",
    }


@pytest.mark.parametrize("reason", ["not UTF-8", "not base64, as key needs", "a map of INT64"])
def test_name_with_digits_is_kept_in_the_kind_of_a_reason(reason: str) -> None:
    assert kind_of_reason(reason) == reason


def test_different_reasons_are_different_kinds() -> None:
    assert kind_of_reason("amount_minor -5 is less than 0") != kind_of_reason("quantity -5 is less than 0")
