"""Keys of records in the terminal."""

from ops.topics.keys import shown_key


def test_card_as_key_of_a_topic_is_masked() -> None:
    assert shown_key("payments", b"4111111111111111") == "•••1111"
    assert shown_key("payments", b"card-0092850") == "•••2850"


def test_card_number_in_an_undeclared_topic_is_masked() -> None:
    assert shown_key("their-topic", b"pan 4111 1111 1111 1111") == "pan •••1111"


def test_key_with_control_characters_is_escaped() -> None:
    assert shown_key("orders", b"\x1b]0;owned\x07\xff") == "\\x1b]0;owned\\x07\\xff"


def test_missing_key_is_shown_as_none() -> None:
    assert shown_key("payments", None) == "none"
