"""Runbooks of the health checks: `python -m tools.runbooks` writes docs/runbooks.md from `ops/health/checks.py`."""

import re
import textwrap

from local.settings import CHECKOUT
from ops.health.check import SECONDS, SHARE, YES_OR_NO, Check
from ops.health.checks import CHECKS

RUNBOOKS = CHECKOUT / "docs" / "runbooks.md"
WIDTH = 120
UNBROKEN_SPACE = "\0"
CHECK = re.compile(rf"(?<![\w-])(?:{'|'.join(check.id for check in CHECKS)})(?![\w-])")
HEAD = """
# Runbooks

What to do when a check of `python -m ops health` warns or fails: one section a check, in the order in which it is
best to ask. `python -m tools.runbooks` writes this file from `ops/health/checks.py`. [health.md](health.md) describes
the command.
""".strip()


def runbooks() -> str:
    """Return the document."""
    return "\n\n".join([HEAD, *(_section(check) for check in CHECKS)]) + "\n"


def _section(check: Check) -> str:
    steps = [_wrapped(f"{number}. {step}", indent="   ") for number, step in enumerate(check.remedy, start=1)]
    limits = _limits(check)
    return "\n\n".join(
        [
            f"## {check.id}",
            _wrapped(f"**{check.question}** {limits}"),
            _wrapped(check.why),
            "\n".join(steps),
        ]
    )


def _limits(check: Check) -> str:
    if check.unit == YES_OR_NO:
        return f"{'Warns' if check.fail is None else 'Fails'} if not."
    unit = {SECONDS: "seconds", SHARE: "percent"}.get(check.unit, check.unit)
    factor = 100 if check.unit == SHARE else 1
    limits = [
        f"{word} from {limit * factor:,g}"
        for word, limit in (("warns", check.warn), ("fails", check.fail))
        if limit is not None
    ]
    return f"Measured in {unit}: {', '.join(limits)}."


def _wrapped(text: str, indent: str = "") -> str:
    """Return a text in lines; names of checks and documents lead there, and no line ends within a command."""
    parts = re.split("(`[^`]*`)", text)
    parts[::2] = map(_with_links, parts[::2])
    parts[1::2] = [code.replace(" ", UNBROKEN_SPACE) for code in parts[1::2]]
    lines = textwrap.fill(
        "".join(parts), WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return lines.replace(UNBROKEN_SPACE, " ")


def _with_links(text: str) -> str:
    text = CHECK.sub(lambda found: f"[{found[0]}](#{found[0]})", text)
    return re.sub(r"docs/(\w+\.md)", r"[\1](\1)", text)


def main() -> None:
    """Write the document."""
    RUNBOOKS.write_text(runbooks(), "utf-8")


if __name__ == "__main__":
    main()
