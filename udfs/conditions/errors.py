"""The error that a wrong condition raises, and how it quotes the condition."""

_LONGEST_QUOTE = 40


class ConditionError(ValueError):
    """A condition can't be used; the text gives the position, what is wrong, and what would be right."""

    def __init__(self, position: int, what: str, what_next: str) -> None:
        super().__init__(f"at character {position + 1}: {what}; {what_next}")
        self.position = position


def quoted(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Quote a text, cut to at most `longest` characters."""
    return repr(text if len(text) <= longest else f"{text[:longest]}…")
