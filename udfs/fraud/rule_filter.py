"""Compiles the conditions of a ruleset into a filter program that the JVM runs before Python.

A program is JSON: the number of facts, and a tree of conditions that refer to facts by their position in
`udfs.fraud.rules.filter_facts`. `jvm/src/millrace/rules` runs it. The program only has to be a necessary condition:
`udfs.fraud.rules` judges the payments that it passes.
"""

import json
from collections.abc import Mapping, Sequence
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
)


def program(conditions: Sequence[Condition | None], facts: Sequence[str]) -> str:
    """Return the program that is true wherever one of these conditions may hold.

    Args:
        conditions: as in `Rules`: None is a rule that has only a function, so any payment may break it.
        facts: as returned by `udfs.fraud.rules.filter_facts`.
    """
    places = {name: place for place, name in enumerate(facts)}
    trees = [_tree(condition, places) for condition in conditions if condition is not None]
    tree = {"or": trees} if len(trees) == len(conditions) else {"all": True}
    return json.dumps({"facts": len(places), "when": tree})


def _tree(condition: Condition, places: Mapping[str, int]) -> dict[str, Any]:
    match condition:
        case Combination(operator, parts):
            return {operator: [_tree(part, places) for part in parts]}
        case Comparison(left, operator, right):
            return {operator: [_term(left, places), _term(right, places)]}
        case OneOf(name, _, str(other), negated):
            return {"differ" if negated else "same": [places[name], places[other]]}
        case OneOf(name, values, _, negated):
            return {"not in" if negated else "in": [places[name], *values]}
        case IsNull(name, negated):
            return {"present" if negated else "missing": places[name]}
        case IsTrue(name, negated):
            return {"unset" if negated else "set": places[name]}


def _term(term: Term, places: Mapping[str, int]) -> dict[str, Any]:
    match term:
        case Number(value):
            return {"number": int(value) if value == int(value) else value}
        case Name(name):
            return {"fact": places[name]}
        case Product(left, operator, right):
            return {operator: [_term(left, places), _term(right, places)]}
