"""Rules that can't be written as a condition, as Python functions. A ruleset names them: `function =
"just_below_a_limit"`.

A function takes a payment's facts by name (its columns and features; money in minor units of the base currency) and
returns whether the payment breaks the rule. It must be pure: if the same facts could give another result, a replay of
the payments would decide differently. Add a condition to the rule (`when = "count_10m >= 3"`): without one, every
payment crosses from the JVM to Python, which is the largest cost per payment.
"""

from collections.abc import Callable, Mapping

from udfs.conditions.facts import Value

RuleFunction = Callable[[Mapping[str, Value]], bool]

_LIMITS_MINOR = (50_00, 100_00, 250_00, 500_00, 1000_00)
"""Sums at which shops and issuers usually ask for a second factor, in minor units."""


def just_below_a_limit(facts: Mapping[str, Value]) -> bool:
    """Return whether a payment is at most 2 % below a sum that would have required a second factor."""
    amount = facts["base_amount_minor"]
    return isinstance(amount, int) and any(limit * 0.98 <= amount < limit for limit in _LIMITS_MINOR)


RULE_FUNCTIONS: dict[str, RuleFunction] = {function.__name__: function for function in (just_below_a_limit,)}
