"""Keys of records at the terminal."""

from ops.topics.keys import shown_key


def test_a_card_that_keys_a_topic_is_masked() -> None:
    assert shown_key("payments", b"4111111111111111") == "•••1111"
    assert shown_key("payments", b"card-0092850") == "•••2850"


def test_a_card_number_in_a_topic_of_others_is_masked() -> None:
    assert shown_key("their-topic", b"pan 4111 1111 1111 1111") == "pan •••1111"


def test_a_key_does_no_harm_to_the_terminal() -> None:
    assert shown_key("orders", b"\x1b]0;owned\x07\xff") == "\\x1b]0;owned\\x07\\xff"


def test_no_key_is_said_so() -> None:
    assert shown_key("payments", None) == "none"
