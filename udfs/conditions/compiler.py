"""Compiles a condition into a Python expression."""

import math

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


def python_expression(condition: Condition) -> str:
    """Return a Python expression over variables named like the facts, with `_ratio` in scope; true where the rule is
    broken."""
    match condition:
        case Combination(operator, parts):
            return "(" + f" {operator} ".join(python_expression(part) for part in parts) + ")"
        case Comparison(left, operator, right):
            present = [f"{name} is not None" for name in names_in(left) | names_in(right)]
            compared = f"{_python_term(left)} {_PYTHON_OPERATORS.get(operator, operator)} {_python_term(right)}"
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


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient; infinite, with the numerator's sign, where the denominator is 0; 0 ÷ 0 is not a number."""
    if denominator:
        return numerator / denominator
    return math.copysign(math.inf, numerator) if numerator else math.nan


_PYTHON_OPERATORS = {"=": "=="}


def _python_term(term: Term) -> str:
    match term:
        case Number(value):
            return repr(int(value) if value == int(value) else value)
        case Name(name):
            return name
        case Product(left, "*", right):
            return f"({_python_term(left)} * {_python_term(right)})"
        case Product(left, _, right):
            return f"_ratio({_python_term(left)}, {_python_term(right)})"
