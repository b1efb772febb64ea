import re

import pytest

from udfs.notifications import notification_policy
from udfs.notifications.notification_policy import KINDS, PolicyError, check_covers, default_text, parse


def changed(pattern: str, replacement: str) -> str:
    """Return the default policy with one passage replaced."""
    text, count = re.subn(pattern, replacement, default_text(), count=1)
    assert count == 1
    return text


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return caught.value.mistakes


def test_default_policy_is_valid_and_has_every_kind() -> None:
    policy = parse(default_text())

    assert set(policy.occasion) == set(KINDS)
    assert policy.quiet_hours
    assert (policy.quiet_hours.begin, policy.quiet_hours.end) == ("22:00", "08:00")


def test_quiet_hours_can_be_left_out() -> None:
    text = changed(r'\[quiet_hours\]\nfrom = "22:00"\nto = "08:00"\n', "")

    assert parse(text).quiet_hours is None


@pytest.mark.parametrize("text", ["version = " + "9" * 5_000, "version = " + "[" * 10_000], ids=["digits", "brackets"])
def test_value_that_toml_can_not_hold_is_reported(text: str) -> None:
    (mistake,) = mistakes(text)

    assert mistake.startswith("not TOML: ")


def test_invalid_toml_is_reported_with_its_line() -> None:
    (mistake,) = mistakes("version = \n")

    assert "line 1" in mistake


@pytest.mark.parametrize(
    ("pattern", "replacement", "place", "what"),
    [
        ("messages_per_hour", "messages_an_hour", "", "unknown name 'messages_an_hour'; there are version, messages_p"),
        ('\nto = "08', '\nuntil = "08', "quiet_hours: ", "unknown name 'until'; there are from, to"),
        (r"occasion\.fraud_closed", "occasion.fraud_cleared", "occasion: ", "unknown name 'fraud_cleared'; there are"),
        ("critical = true", "important = true", "occasion.fraud_suspected: ", "unknown name 'important'; there are t"),
        ("messages_per_hour = 3", "messages_per_hour = 0", "", "Expected `int` >= 1 - at `$.messages_per_hour`"),
        (
            "messages_per_hour = 3",
            'messages_per_hour = "3"',
            "",
            "Expected `int`, got `str` - at `$.messages_per_hour`",
        ),
        ("messages_per_hour = 3", "", "", "missing required field `messages_per_hour`"),
        ('from = "22:00"', 'from = "24:00"', "", "- at `$.quiet_hours.from`"),
        ('from = "22:00"', 'from = "0٧:3٠"', "", "- at `$.quiet_hours.from`"),
        ('from = "22:00"', r'from = "22:00\\n"', "", "- at `$.quiet_hours.from`"),
        ('to = "08:00"', 'to = "22:00"', "quiet_hours: ", "from and to are both 22:00; leave [quiet_hours] out"),
        ("remembered_hours = 72", "remembered_hours = 47", "", "it must be at least 48"),
        (r"\[occasion\.fraud_closed\][^\[]*", "", "occasion: ", "fraud_closed is missing; write `sent = false`"),
        ("fraud_warning", "digest", "", "Invalid enum value 'digest'"),
        (
            "fraud_warning",
            "order_confirmation",
            "occasion.fraud_suspected: ",
            "has no text for it; use 'fraud_warning'",
        ),
        (
            r'order_confirmation"\ncritical = false',
            'order_confirmation"\ncritical = true',
            "occasion.order_confirmed: ",
            "only fraud_suspected and fraud_escalated can",
        ),
        (
            r"(order_confirmed\][^\[]*)sent = true",
            r"\1sent = false",
            "occasion.order_completed: ",
            "it is sent, but order_confirmed, which it completes, is not",
        ),
    ],
)
def test_mistake_is_reported_with_its_place_and_a_correction(
    pattern: str, replacement: str, place: str, what: str
) -> None:
    (mistake,) = mistakes(changed(pattern, replacement))

    assert mistake.startswith(place)
    assert what in mistake


def test_all_mistakes_are_reported_at_once() -> None:
    text = changed('to = "08:00"', 'to = "22:00"').replace("remembered_hours = 72", "remembered_hours = 25")

    assert len(mistakes(text)) == 2


def test_policy_must_remember_an_order_until_its_last_revision() -> None:
    policy = notification_policy.parse(default_text())

    check_covers(policy, missing_data_hours=48)
    with pytest.raises(PolicyError, match="at least 73, or orders are confirmed twice"):
        check_covers(policy, missing_data_hours=49)
