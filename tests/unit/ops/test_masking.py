"""What is shown of records: declared fields that aren't masked, nothing that looks like a secret, no control
characters."""

import hashlib
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.topics import DEAD_LETTERS, ORDERS
from ops.masking import (
    LONGEST_SHOWN,
    harmless,
    kind_of_reason,
    shown,
    shown_field,
    shown_key,
    shown_payload,
    shown_reason,
)
from tests.builders.events import payment

CARDS = ["4111111111111111", "5555555555554444", "2223003122003222", "378282246310005", "30569309025904"]
CARDS += ["4222222222222", "6011111111111117", "6799990100000000019"]

card_numbers = st.from_regex(r"\A[3-6][0-9]{11,18}\Z")


def shown_document(topic: str, document: Any) -> Any:
    return json.loads(shown_payload(topic, json.dumps(document).encode()))


def test_fields_of_an_event_are_shown_unless_they_are_masked() -> None:
    document = msgspec.json.decode(msgspec.json.encode(payment(card_id="card-0151922", device_id="phone-1")))

    different = {name: value for name, value in shown_document("payments", document).items() if value != document[name]}

    assert different == {
        "card_id": "•••1922",
        "device_id": "••• (7 characters)",
        "latitude": f"••• ({len(str(document['latitude']))} characters)",
        "longitude": f"••• ({len(str(document['longitude']))} characters)",
    }


@pytest.mark.parametrize(
    ("topic", "document", "shown_as"),
    [
        ("orders", {"note": "leave it at the door"}, {"note": "••• (20 characters)"}),
        ("orders", {"note": {"a": [1]}, "none": None}, {"note": "••• (10 characters)", "none": None}),
        (
            "orders",
            {"lines": [{"quantity": 2, "gift": True}]},
            {"lines": [{"quantity": 2, "gift": "••• (4 characters)"}]},
        ),
        (
            "orders",
            {"lines": "two", "currency": ["eur"]},
            {"lines": "••• (3 characters)", "currency": "••• (7 characters)"},
        ),
        ("orders", {"currency": "eur", "total_minor": "40"}, {"currency": "eur", "total_minor": "40"}),
        ("orders", {"order_id": "4111111111111111"}, {"order_id": "•••"}),
        ("orders", {"total_minor": 4111111111111111.0}, {"total_minor": "•••"}),
        ("orders", {"order_id": "Bearer abcdef"}, {"order_id": "•••"}),
        ("orders", {"4111111111111111": 1}, {"•••": "••• (1 characters)"}),
        ("payments", {"card_id": "c1"}, {"card_id": "••• (2 characters)"}),
        ("payments", {"card_id": {"a": "b12"}}, {"card_id": "••• (12 characters)"}),
        ("their-topic", {"order_id": "o1"}, {"order_id": "••• (2 characters)"}),
        ("db-changes.customers", {"name": "Ada", "phone": None}, {"name": "••• (3 characters)", "phone": None}),
        ("enriched-orders", {"customer_name": "Ada"}, {"customer_name": "••• (3 characters)"}),
        ("fraud-alerts", {"features": {"country": "DE"}}, {"features": "••• (17 characters)"}),
        ("notifications", {"payload": [{"details": ["a lamp"]}]}, {"payload": [{"details": "••• (10 characters)"}]}),
    ],
)
def test_value_of_any_other_field_is_shown_as_its_length(topic: str, document: Any, shown_as: Any) -> None:
    assert shown_document(topic, document) == shown_as


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"card 4111111111111111",
        b"\xff\x00",
        b'{"a": 1, "a": 2}',
        b"[1, 2]",
        b'"a"',
        b"[" * 100_000,
        b'{"card_id": "card-01',
    ],
)
def test_payload_that_is_no_json_object_is_shown_as_length_and_hash(payload: bytes) -> None:
    digest = hashlib.sha256(payload).hexdigest()[:8]

    assert shown_payload("payments", payload) == (
        f"{len(payload):,} bytes that are no JSON object, SHA-256 {digest}…; export it to see them"
    )


@given(card_numbers, st.sampled_from(["{}", "-{}", "x={} 1", "a{}", "{}\udcff", "7 {} 123"]))
def test_card_number_in_any_field_is_masked(card: str, place: str) -> None:
    text = place.format(card)

    for topic in (ORDERS, DEAD_LETTERS):
        for name in ("order_id", "event_id", "reason", "currency", "category", text):
            assert card not in shown_field(topic.name, name, text)
    assert card not in shown(text)
    assert card not in shown_reason(text)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("glue", ["", " ", "-", ".", "\u200b", "\x00", "\x1b"])
def test_card_number_in_a_text_is_masked(card: str, glue: str) -> None:
    assert shown(f"card {glue.join(card)}, declined") == "card •••, declined"


@pytest.mark.parametrize("number", ["1740830401238", "20260301120008", "12345678901", "1795627411728006"])
def test_number_that_is_no_card_is_shown(number: str) -> None:
    assert shown(f"number {number}") == f"number {number}"


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ('{"card_id": "card-0151922", "amount', '{"card_id": •••, "amount'),
        ('{"card_id": "card-01519', '{"card_id": •••'),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": •••'),
        ("user=ann&password=hunter2&page=1", "user=ann&password=•••&page=1"),
        ("db.password: 'a b' accessToken=abc", "db.password: ••• accessToken=•••"),
        ("X-Api-Key: abc, cvv2:123", "X-Api-Key: •••, cvv2:•••"),
        ("Authorization: Bearer abc.def", "Authorization: •••"),
        ("Basic dXNlcjpwYXNz", "•••"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "•••"),
        ("postgresql://ann:hunter2@db/shop", "postgresql://•••@db/shop"),
        ("mail ann.lee+x@mail.example.org now", "mail ••• now"),
        ("call +49 (170) 123-4567 now", "call •••now"),
        ("call 0049 170 1234567", "call •••"),
        ("2026-03-01 12:00:05.123 UTC", "2026-03-01 12:00:05.123 UTC"),
        ("shipping: fast, card_country: DE", "shipping: fast, card_country: •••"),
        ("Unrecognized token 'abc': was expecting null", "Unrecognized token 'abc': was expecting null"),
    ],
)
def test_secret_in_a_text_is_masked_by_its_form(text: str, shown_as: str) -> None:
    assert shown(text) == shown_as


@pytest.mark.parametrize(
    ("reason", "shown_as"),
    [
        ('currency "eur" doesn\'t match ^[A-Z]{3}$ (byte 219)', 'currency "…" doesn\'t match ^[A-Z]{3}$ (byte 219)'),
        ("Unrecognized token 'O'Brien': was expecting null", "Unrecognized token '…': was expecting null"),
        ('{"name": "Ada", "age": 36} is not of type "string"', '{"…": "…", "…"} is not of type "…"'),
        ('name: "a \\" b… (byte 7)', 'name: "…"'),
        ('card_id: "c1" is too short', "card_id: ••• is too short"),
        ("rule far: KeyError: 'Ada", "rule far: KeyError: '…'"),
        ("ValueError: invalid literal: b'Ada Lovelace, Berlin'", "ValueError: invalid literal: '…'"),
        ("latitude: 52521918 is more than 90 (byte 300)", "latitude: … is more than 90 (byte 300)"),
        ("lines[2].quantity: Ada Lovelace is not a number", "lines[2].quantity: … is not a number"),
        ("550 <ann@example.org> unknown", "550 •••> unknown"),
        ("the document ends too early (byte 74)", "the document ends too early (byte 74)"),
        ("\x1b[31mamount_minor -5 is less than 0", r"\x1b[31mamount_minor -5 is less than 0"),
    ],
)
def test_values_that_a_reason_quotes_are_cut(reason: str, shown_as: str) -> None:
    assert shown_reason(reason) == shown_as


@pytest.mark.parametrize(
    ("topic", "key", "shown_as"),
    [
        ("payments", b"card-0092850", "•••2850"),
        ("payments", None, "none"),
        ("orders", b"order-17", "order-17"),
        ("orders", b"", ""),
        ("orders", b"\x1b]0;owned\x07\xff", "\\x1b]0;owned\\x07\\xff"),
        ("fraud-rulesets", b"3", "3"),
        ("dead-letters", b"order-17", "••• (8 characters)"),
        ("their-topic", b"order-17", "••• (8 characters)"),
    ],
)
def test_key_is_shown_as_the_field_that_its_topic_is_keyed_by(topic: str, key: bytes | None, shown_as: str) -> None:
    assert shown_key(topic, key) == shown_as


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_shown_text_never_controls_the_terminal(text: str) -> None:
    assert all(each.isprintable() for each in harmless(text))
    harmless(text).encode()


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("a\u202eb\u2066c\u200d", r"a\u202eb\u2066c\u200d"),
        ("a\x9bb", r"a\x9bb"),
        ("\udcff\x00\ud800", r"\xff\x00\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("Grüße 東京", "Grüße 東京"),
    ],
)
def test_invisible_character_is_escaped(text: str, shown_as: str) -> None:
    assert harmless(text) == shown_as


def test_json_is_shown_with_one_field_per_line_and_escaped() -> None:
    assert shown_payload("orders", b'{"order_id": "x\\u001b\\u202e", "missing": ["\\u202e"]}').splitlines() == [
        "{",
        '  "order_id": "x\\u001b\\u202e",',
        '  "missing": "••• (10 characters)"',
        "}",
    ]


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_deeply_nested_json_can_be_shown(depth: int) -> None:
    assert shown_payload("orders", b'{"a": ' + b"[" * depth + b"]" * depth + b"}")


def test_long_json_is_cut() -> None:
    text = shown_payload("orders", json.dumps({"order_id": "a" * LONGEST_SHOWN}).encode())

    assert text.endswith("a\n… 20 characters more; export it to see all")


@pytest.mark.parametrize(
    "piece", ["a", "a.", "1 ", '"', "'", "eyJ-", "://a:", '\\"', "4", "a=", " ", "pin.", "pin ", "@"]
)
def test_long_text_is_masked_in_linear_time(piece: str) -> None:
    began = time.perf_counter()
    kind_of_reason(piece * 50_000)

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
