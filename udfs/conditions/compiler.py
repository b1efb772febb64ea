"""Compiles conditions into one Python function."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from udfs.conditions.tree import (
    Combination,
    Comparison,
    Condition,
    IsNull,
    IsTrue,
    Name,
    Number,
    OneOf,
    Product,
    Term,
    names_in,
)

_PYTHON_OPERATORS = {"=": "=="}


def compiled(conditions: Sequence[Condition | None], names: Sequence[str]) -> Callable[..., list[int]]:
    """Compile conditions into one function, so that judging a payment costs one call.

    Args:
        conditions: None is always true.
        names: arguments of the function, in their order: at least the facts that the conditions refer to.

    Returns:
        A function from facts to the indices of the conditions that are true.
    """
    lines = [f"def true_ones({', '.join(names)}):", "    found = []"]
    for i, condition in enumerate(conditions):
        expression = "True" if condition is None else _condition(condition)
        lines.append(f"    if {expression}: found.append({i})")
    lines.append("    return found")
    scope: dict[str, Any] = {"_ratio": ratio}
    exec("\n".join(lines), scope)  # built from a parsed and checked condition, never from its text
    function: Callable[..., list[int]] = scope["true_ones"]
    return function


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient; infinite, with the numerator's sign, where the denominator is 0; 0 ÷ 0 is not a number."""
    if denominator:
        return numerator / denominator
    return math.copysign(math.inf, numerator) if numerator else math.nan


def _condition(condition: Condition) -> str:
    match condition:
        case Combination(operator, parts):
            return "(" + f" {operator} ".join(_condition(part) for part in parts) + ")"
        case Comparison(left, operator, right):
            present = [f"{name} is not None" for name in names_in(left) | names_in(right)]
            compared = f"{_term(left)} {_PYTHON_OPERATORS.get(operator, operator)} {_term(right)}"
            return "(" + " and ".join([*sorted(present), compared]) + ")"
        case OneOf(name, _, str(other), negated):
            operator_text = "!=" if negated else "=="
            return f"({name} is not None and {other} is not None and {name} {operator_text} {other})"
        case OneOf(name, values, _, negated):
            return f"({name} is not None and {name} {'not in' if negated else 'in'} {values!r})"
        case IsNull(name, negated):
            return f"({name} is {'not ' if negated else ''}None)"
        case IsTrue(name, negated):
            return f"({name} is {not negated})"


def _term(term: Term) -> str:
    match term:
        case Number(value):
            return repr(int(value) if value == int(value) else value)
        case Name(name):
            return name
        case Product(left, "*", right):
            return f"({_term(left)} * {_term(right)})"
        case Product(left, _, right):
            return f"_ratio({_term(left)}, {_term(right)})"
