"""Sources of rulesets, as an operator that judges payments uses them."""

from typing import Protocol

from events import Ruleset
from udfs.fraud.rules import RulesetHistory


class RulesetListener(Protocol):
    """The consumer for which versions are read."""

    def failed(self) -> None:
        """Report that new versions can't be read any more."""

    def is_wanted(self) -> bool:
        """Return whether it still runs; `close` isn't called for a task that fails or is cancelled."""


class Rulesets(Protocol):
    """A source of rulesets that can be serialised and sent to where payments are judged."""

    def open(self, history: RulesetHistory, listener: RulesetListener) -> None:
        """Load all existing versions, then add new ones to the history until `close`, as long as the listener is
        wanted."""

    def close(self) -> None:
        """Stop reading new versions."""

    def check(self) -> None:
        """Raise an error if new versions can't be read any more."""


class FixedRulesets:
    """Rulesets that are known beforehand: for tests, and for judging replayed payments by chosen rules."""

    def __init__(self, *rulesets: Ruleset) -> None:
        self._rulesets = rulesets

    def open(self, history: RulesetHistory, _listener: RulesetListener) -> None:
        for ruleset in self._rulesets:
            history.add(ruleset)

    def close(self) -> None:
        """Do nothing: nothing runs."""

    def check(self) -> None:
        """Do nothing: nothing can fail."""
