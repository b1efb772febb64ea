"""Tables in the terminal, whatever their cells contain."""

from ops.formats import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("job", "state"), [("fraud_detection", "RUNNING"), ("x", 1)]) == (
        "job              state\nfraud_detection  RUNNING\nx                1"
    )


def test_cell_with_control_characters_is_escaped() -> None:
    assert table(("rule",), [("a\x1b[2J\nb",)]) == "rule\na\\x1b[2J\\nb"
