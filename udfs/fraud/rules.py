"""Validates rulesets, and judges payments by them. Knows no Flink."""

import bisect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from events import BrokenRule, Rule, Ruleset
from udfs.conditions.compiler import compiled
from udfs.conditions.errors import ConditionError, quoted
from udfs.conditions.facts import KM, MONEY, PLAIN, SECONDS, Fact, Value
from udfs.conditions.grammar import parse_condition
from udfs.fraud.features import Feature, Unit
from udfs.fraud.rule_filter import program
from udfs.rule_functions import RULE_FUNCTIONS

log = logging.getLogger(__name__)

PAYMENT_FACTS = (
    "base_amount_minor",
    "merchant_id",
    "merchant_category",
    "country",
    "device_id",
    "channel",
    "status",
)
"""Columns of the payment itself that rules may use, besides its features."""


MOST_BYTES = 500_000
"""Maximum size of a ruleset as a record of its topic, in bytes."""
MOST_RULES = 200
"""Maximum number of rules in a ruleset: each is parsed at every start of a job, and an alert may carry all of them."""
LONGEST_TEXT = 1000
"""Maximum number of characters of a description: it is in every alert."""
_LONGEST_LOGGED = 2000
"""Maximum number of characters of a log line on mistakes in a ruleset."""
_LATEST = 253_402_300_799_999
"""Last millisecond of the year 9999."""
_HIGHEST_VERSION = 10**9
"""Far above what counting by one reaches, and far below what 64 bits hold, so that no accepted version is the last."""


class RulesetError(ValueError):
    """A ruleset can't be used; one line per mistake, each with the rule, what is wrong and what would be right."""

    def __init__(self, mistakes: Sequence[str], version: int | None = None) -> None:
        """
        Args:
            version: that the ruleset declares, if it is known.
        """
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)
        self.version = version


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Result of one ruleset version for one payment; travels between two operators of the fraud job."""

    ruleset_version: int
    score: int = 0
    """Sum over `rules`; 0 if it doesn't reach the ruleset's alert score."""
    rules: tuple[BrokenRule, ...] = ()
    shadow: tuple[str, ...] = ()
    quiet_minutes: int
    features: dict[str, int | float | str | tuple[str, ...] | None]
    failures: tuple[str, ...] = ()
    """Rule functions that raised, with their error: the payment also becomes a dead letter."""


_LONGEST_CONDITION_QUOTE = 200
_UNITS = {"money": MONEY, "seconds": SECONDS, "km": KM}
_PAYMENT_FACTS = {
    name: Fact("number", MONEY, lowest=1) if name == "base_amount_minor" else Fact("text") for name in PAYMENT_FACTS
}
_NOT_FACTS = {
    "amount_minor": Fact("number", unusable="it is in the payment's own currency: use base_amount_minor"),
}


def fact_names(features: Sequence[Feature]) -> tuple[str, ...]:
    """Return the names of the arguments of `Rules.judge`, in their order."""
    return (*PAYMENT_FACTS, *(feature.name for feature in features))


def filter_facts(features: Sequence[Feature]) -> tuple[str, ...]:
    """Return the facts that conditions can use, in the order in which the JVM gets them."""
    known = facts(features)
    return tuple(name for name in fact_names(features) if known[name].unusable is None)


def _feature_fact(feature: Feature) -> Fact:
    unit: Unit = feature.unit
    if unit == "text":
        return Fact("text")
    if unit == "list":
        return Fact("list", unusable="it is evidence for the alert: ask for a count or a distinct instead")
    counts_itself = feature.aggregate in ("count", "distinct") and feature.where is None
    lowest = 1 if counts_itself else 0
    return Fact("number", _UNITS.get(unit, PLAIN), lowest=lowest if unit != "number" else float("-inf"))


def facts(features: Sequence[Feature]) -> dict[str, Fact]:
    """Return all facts that a condition can name, with their units."""
    return _PAYMENT_FACTS | _NOT_FACTS | {feature.name: _feature_fact(feature) for feature in features}


def _validate(ruleset: Ruleset, features: Sequence[Feature], base_currency: str) -> None:
    if len(ruleset.rules) > MOST_RULES:
        raise RulesetError([f"there are {len(ruleset.rules):,} rules; at most {MOST_RULES} are judged: leave some out"])
    known = facts(features)
    mistakes = list(_mistakes_of_publication(ruleset))
    mistakes += [
        f"rule {rule.name}: {mistake}" for rule in ruleset.rules for mistake in _mistakes(rule, known, base_currency)
    ]
    names = [rule.name for rule in ruleset.rules]
    mistakes += [
        f"rule {name}: the name is used twice; rename one" for name in sorted(set(names)) if names.count(name) > 1
    ]
    reachable = sum(rule.score for rule in ruleset.rules if rule.status == "active")
    if 0 < reachable < ruleset.alert_score:
        mistakes.append(
            f"alert_score is {ruleset.alert_score}, but all active rules together score {reachable}: no payment would "
            "ever alert; lower alert_score or raise the scores"
        )
    if mistakes:
        raise RulesetError(mistakes)


def _mistakes_of_publication(ruleset: Ruleset) -> Iterable[str]:
    if ruleset.version > _HIGHEST_VERSION:
        yield f"version is {quoted(str(ruleset.version))}; it must be at most {_HIGHEST_VERSION:,}"
    for name, moment in (("effective_from", ruleset.effective_from), ("event_time", ruleset.event_time)):
        if moment > _LATEST:
            yield f"{name} is {quoted(str(moment))}, after the year 9999; times are in milliseconds since 1970"
    if len(ruleset.note) > LONGEST_TEXT:
        yield f"the note has {len(ruleset.note):,} characters; write at most {LONGEST_TEXT:,}"


def _mistakes(rule: Rule, known: Mapping[str, Fact], base_currency: str) -> Iterable[str]:
    if rule.name.endswith("\n"):  # `$` of the name's pattern lets one pass in Python
        yield "the name ends with a line break: leave it out"
    if len(rule.description) > LONGEST_TEXT:
        yield f"the description has {len(rule.description):,} characters; write at most {LONGEST_TEXT:,}"
    if rule.when is None and rule.function is None:
        yield "give it `when`, `function`, or both"
    if rule.function is not None and rule.function not in RULE_FUNCTIONS:
        known_functions = ", ".join(RULE_FUNCTIONS)
        yield f"there is no function {quoted(rule.function)} in udfs/rule_functions.py; there are {known_functions}"
    if rule.when is not None:
        try:
            parse_condition(rule.when, known, base_currency)
        except ConditionError as error:
            yield f"when = {quoted(rule.when, _LONGEST_CONDITION_QUOTE)}, {error}"


class Rules:
    """A valid ruleset, compiled for judging payments: every job can load it."""

    def __init__(self, ruleset: Ruleset, features: Sequence[Feature], base_currency: str) -> None:
        """Validate and compile the ruleset.

        Raises:
            RulesetError: it is not valid; has every mistake in it, not only the first.
        """
        _validate(ruleset, features, base_currency)
        self.ruleset = ruleset
        self._rules = [rule for rule in ruleset.rules if rule.status != "off"]
        self._names = fact_names(features)
        self._evidence = {name: self._names.index(name) for name in (feature.name for feature in features)}
        known = facts(features)
        self.conditions = tuple(
            None if rule.when is None else parse_condition(rule.when, known, base_currency) for rule in self._rules
        )
        """Condition of each rule that isn't off; None where there is only a function."""
        self.filter_program = program(self.conditions, filter_facts(features))
        """Program of the JVM's filter; see `udfs.fraud.rule_filter`."""
        self._candidates = compiled(self.conditions, self._names)
        self._functions = {i: RULE_FUNCTIONS[rule.function] for i, rule in enumerate(self._rules) if rule.function}

    def judge(self, *values: Value) -> Verdict | None:
        """Judge one payment by its facts, in the order of `fact_names`; None if there is nothing to report."""
        candidates = self._candidates(*values)
        if not candidates:
            return None
        failures: list[str] = []
        broken = [i for i in candidates if i not in self._functions or self._agrees(i, values, failures)]
        if not broken and not failures:
            return None
        return self._verdict(broken, failures, values)

    def _agrees(self, i: int, values: Sequence[Value], failures: list[str]) -> bool:
        """Return whether the function of a rule finds it broken; an exception is added to the failures."""
        try:
            return self._functions[i](dict(zip(self._names, values, strict=True)))
        except Exception as error:  # noqa: BLE001 - a rule function may raise any error, which is reported
            failures.append(f"rule {self._rules[i].name}: {type(error).__name__}: {error}")
            return False

    def _verdict(self, broken: Sequence[int], failures: Sequence[str], values: Sequence[Value]) -> Verdict | None:
        rules = [self._rules[i] for i in broken]
        active = [rule for rule in rules if rule.status == "active"]
        score = sum(rule.score for rule in active)
        if score < self.ruleset.alert_score:
            score, active = 0, []
        shadow = tuple(rule.name for rule in rules if rule.status == "shadow")
        if not active and not shadow and not failures:
            return None
        return Verdict(
            ruleset_version=self.ruleset.version,
            score=min(score, 1000),
            rules=tuple(BrokenRule(rule=rule.name, score=rule.score, reason=rule.description) for rule in active),
            shadow=shadow,
            quiet_minutes=self.ruleset.quiet_minutes,
            features={name: _plain(values[i]) for name, i in self._evidence.items()},
            failures=tuple(failures),
        )


def _plain(value: Value) -> int | float | str | tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list | tuple) else value


def published_rules(value: bytes | None, features: Sequence[Feature], base_currency: str) -> Rules:
    """Return the rules that a record of the topic publishes; jobs and commands use this one decision on what is
    accepted.

    Args:
        value: the record's value; a ruleset as JSON if it is valid.

    Raises:
        RulesetError: a job can't judge by it, whatever the reason.
    """
    if value is not None and len(value) > MOST_BYTES:
        raise RulesetError([f"it has {len(value):,} bytes as a record; at most {MOST_BYTES:,} are read: shorten it"])
    version = None
    try:
        ruleset = msgspec.json.decode(value or b"", type=Ruleset)
        version = ruleset.version
        return Rules(ruleset, features, base_currency)
    except RulesetError as error:
        raise RulesetError(error.mistakes, version) from error
    except msgspec.MsgspecError as error:
        raise RulesetError([str(error)]) from error
    except Exception as error:  # any other error too: a job that failed on it would fail at each of its starts
        raise RulesetError([f"{type(error).__name__}: {error}"], version) from error


@dataclass(frozen=True)
class _Version:
    effective_from: int
    rules: Rules


class RulesetHistory:
    """Every published version; a payment is judged by the one that was in force at its event time.

    Adding swaps in a new list, so that one thread may add while another judges.
    """

    def __init__(
        self, features: Sequence[Feature], base_currency: str, announce: Callable[[Rules], None] = lambda _rules: None
    ) -> None:
        """
        Args:
            announce: called with each version before a payment is judged by it.
        """
        self._announce = announce
        self._features = features
        self._base_currency = base_currency
        self._versions: list[_Version] = []

    def __len__(self) -> int:
        return len(self._versions)

    def add(self, ruleset: Ruleset) -> None:
        """Add a version; ignore it if its number is known already (the topic was read again).

        Of two versions with the same effective time the higher one applies.

        Raises:
            RulesetError: it is not valid; the history stays as it was.
        """
        if not self._knows(ruleset):
            self._include(Rules(ruleset, self._features, self._base_currency))

    def add_published(self, value: bytes | None, place: str) -> None:
        """Add a version from its record, as `add` does; log and ignore a record that has no valid version.

        Args:
            place: topic, partition and offset of the record.
        """
        try:
            rules = published_rules(value, self._features, self._base_currency)
        except RulesetError as error:
            # Earlier versions stay in force: an invalid one must not stop the job.
            log.error("ignoring the ruleset at %s: %s", place, str(error)[:_LONGEST_LOGGED])
            return
        if not self._knows(rules.ruleset):
            self._include(rules)

    def _knows(self, ruleset: Ruleset) -> bool:
        return any(version.rules.ruleset.version == ruleset.version for version in self._versions)

    def _include(self, rules: Rules) -> None:
        self._announce(rules)
        versions = [*self._versions, _Version(rules.ruleset.effective_from, rules)]
        versions.sort(key=lambda version: (version.effective_from, version.rules.ruleset.version))
        self._versions = versions

    def at(self, event_time: int) -> Rules | None:
        """Return the rules in force at an event time (UTC milliseconds); None before the first version."""
        versions = self._versions
        position = bisect.bisect_right(versions, event_time, key=lambda version: version.effective_from)
        return versions[position - 1].rules if position else None


def facts_in_words(features: Sequence[Feature]) -> list[tuple[str, str, str]]:
    """Return name, kind and unit of every fact that a condition can use."""
    units = {MONEY: "money", SECONDS: "time", KM: "distance", PLAIN: ""}
    return [
        (name, fact.kind, units.get(fact.dimension, ""))
        for name, fact in facts(features).items()
        if fact.unusable is None
    ]
