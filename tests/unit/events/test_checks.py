"""Checks of values against their event: by type, by schema, and by the limits of every reader."""

import msgspec
import pytest

from events import Payment
from events.checks import NotTheEventError, check
from tests.builders.events import payment

GOOD = msgspec.json.encode(payment())


def test_event_as_it_is_sent_is_valid() -> None:
    check(GOOD, Payment)

    assert msgspec.json.decode(GOOD, type=Payment) == payment()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "truncated"),
        (b"\xff", "malformed"),
        (GOOD.replace(b'"EUR"', b'"euro"', 1), "currency"),
        (GOOD.replace(b'"EUR"', b'"EUR\\n"', 1), "currency"),
        (GOOD.replace(b'"channel"', b'"surprise":1,"channel"'), "surprise"),
        (GOOD.replace(b'"channel"', b'"surprise":' + b"[" * 10_000 + b"]" * 10_000 + b',"channel"'), "recursion"),
        (GOOD.replace(b'"amount_minor":4000', b'"amount_minor":9223372036854775808'), "64 bits"),
    ],
)
def test_value_that_is_no_event_is_reported_in_one_line(value: bytes, reason: str) -> None:
    with pytest.raises(NotTheEventError, match=reason) as raised:
        check(value, Payment)

    assert "\n" not in str(raised.value)
