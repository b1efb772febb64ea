"""The fraud rules, as published: one record is a whole ruleset, so a change is atomic."""

from typing import Annotated, Literal

import msgspec

from events.base import Event, EventTime, Identifier


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A condition over a payment's features, the name of a Python function in `udfs/rule_functions.py`, or both."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$", max_length=64)]
    """Unique within the ruleset; alerts carry it."""
    description: Annotated[str, msgspec.Meta(min_length=1)]
    """What an analyst reads in the alert."""
    status: Literal["active", "shadow", "off"]
    """active: alerts. shadow: counted and reported, never alerted. off: not evaluated."""
    score: Annotated[int, msgspec.Meta(ge=1, le=100)]
    """What a payment that breaks the rule gets, in points of 100; see `alert_score`."""
    when: str | None = None
    """A condition, e.g. `count_1m >= 4 and sum_1m > 100.00 EUR`. At least one of `when` and `function` is set."""
    function: str | None = None
    """Name of a function in `udfs/rule_functions.py`; with `when`, it is only asked where the condition holds."""


class Ruleset(Event, frozen=True, kw_only=True):
    """All rules of one version. Keyed by `version`; every version is kept."""

    event_type: Literal["ruleset"] = "ruleset"
    """Always `ruleset`."""
    version: Annotated[int, msgspec.Meta(ge=1)]
    """Grows by one with each publication."""
    effective_from: EventTime
    """Payments with this event time or a later one are judged by this version, also when replayed."""
    published_by: Identifier
    """Who published it, a person or a program."""
    note: str = ""
    """Why it was published."""
    alert_score: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """A payment is suspicious when the scores of the active rules that it broke reach this sum."""
    quiet_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)]
    """A case closes when the card broke no rule for so long, in event time."""
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1)]
    """All rules of the version, those that are off too."""
