"""Reads rulesets that analysts write as TOML files, and converts them to `Ruleset`s."""

import tomllib
from importlib import resources
from typing import Annotated, Any

import msgspec

from events import Rule, Ruleset
from udfs.fraud.rules import RulesetError


class RulesetFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of the file; version, author and times are added on publication."""

    note: str = ""
    alert_score: int
    quiet_minutes: int
    rule: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1)]


def parse(text: str) -> RulesetFile:
    """Parse a ruleset file.

    Raises:
        RulesetError: it is not TOML, or a field is missing, unknown or of the wrong type.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML's own error, a number of 5,000 digits, 1,000 brackets
        raise RulesetError([f"not TOML: {error}"]) from error
    unknown = [
        f"rule {rule.get('name', i)}: unknown field {name!r}; there are {', '.join(Rule.__struct_fields__)}"
        for i, rule in enumerate(_rules(content), start=1)
        for name in sorted(set(rule) - set(Rule.__struct_fields__))
    ]
    if unknown:
        raise RulesetError(unknown)
    try:
        return msgspec.convert(content, RulesetFile)
    except msgspec.ValidationError as error:
        raise RulesetError([str(error)]) from error


def _rules(content: dict[str, Any]) -> list[dict[str, Any]]:
    rules = content.get("rule", [])
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def ruleset(file: RulesetFile, *, version: int, effective_from: int, published_at: int, published_by: str) -> Ruleset:
    """Build the event that publishes a file's rules; times are UTC milliseconds."""
    return Ruleset(
        event_id=f"ruleset-{version}",
        event_time=published_at,
        version=version,
        effective_from=effective_from,
        published_by=published_by,
        note=file.note,
        alert_score=file.alert_score,
        quiet_minutes=file.quiet_minutes,
        rules=file.rule,
    )


def default_text() -> str:
    """Return the ruleset that is part of Millrace."""
    return resources.files(__package__).joinpath("rulesets/default.toml").read_text(encoding="utf-8")
