"""Rules that a condition can't say, as Python functions. A ruleset names them: `function = "just_below_a_limit"`.

A function gets a payment's facts by name (its columns and features; money in minor units of the base currency) and
says whether the payment breaks the rule. It must be pure: the same facts always give the same answer, or a replay
would decide otherwise than it did the first time. Give the rule a condition besides (`when = "count_10m >= 3"`): a rule
without one makes every payment cross from the JVM to Python, which is what a payment costs most.
"""

from collections.abc import Callable, Mapping

from udfs.conditions.conditions import Value

RuleFunction = Callable[[Mapping[str, Value]], bool]

_LIMITS_MINOR = (50_00, 100_00, 250_00, 500_00, 1000_00)
"""Sums at which shops and issuers usually ask for a second factor, in minor units."""


def just_below_a_limit(facts: Mapping[str, Value]) -> bool:
    """A payment at most 2 % below a sum that would have asked for a second factor."""
    amount = facts["base_amount_minor"]
    return isinstance(amount, int) and any(limit * 0.98 <= amount < limit for limit in _LIMITS_MINOR)


RULE_FUNCTIONS: dict[str, RuleFunction] = {function.__name__: function for function in (just_below_a_limit,)}
