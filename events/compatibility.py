"""Can a reader with the new schema read every record that is valid under the old one? And if not, why not?

Judges what `events.schemas` generates, and errs on the side of no: what it doesn't know must not change, and what
the registry's own checker (Apicurio 3.3) is known to refuse is refused here too, before it is released.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import getitem
from typing import Any

from jsonschema import Draft7Validator

Node = Mapping[str, Any]
"""A schema, or a part of one."""

ANYTHING: Node = {}
NOTHING: Node = {"not": {}}

_LIMITS = {"minLength": "maxLength", "minItems": "maxItems", "minProperties": "maxProperties"}
_NARROWING = {"pattern", "format", "multipleOf", "uniqueItems"}
_ANNOTATIONS = {"title", "description", "default", "examples", "$schema", "$id", "$comment", "definitions", "$defs"}
_JUDGED = (
    {"type", "enum", "const", "contentEncoding", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"properties", "required", "additionalProperties", "propertyNames", "items"}
    | {*_LIMITS.keys(), *_LIMITS.values()}
    | _NARROWING
)


def incompatibilities(old: Node, new: Node) -> list[str]:
    """Why records under `old` could not be read with `new`: a path and a reason each; empty if they all can.

    Both are whole schemas of draft 7; a `$ref` points into the schema that it stands in.
    """
    return list(_Comparison(old, new).reasons(old, new, "$"))


@dataclass(frozen=True)
class _Comparison:
    old_root: Node
    new_root: Node
    under_way: frozenset[tuple[int, int]] = frozenset()
    """Identities of the nodes that are being compared further up: a recursive type ends there."""

    def reasons(self, old: Node | bool, new: Node | bool, path: str) -> Iterator[str]:
        old, new = _resolve(old, self.old_root), _resolve(new, self.new_root)
        pair = (id(old), id(new))
        if pair in self.under_way or old == NOTHING or not _constraints(new):
            return
        if new == NOTHING:
            yield f"{path}: nothing is allowed here any more; old records would not be readable"
            return
        yield from replace(self, under_way=self.under_way | {pair})._alternatives_kept(old, new, path)

    def _alternatives_kept(self, old: Node, new: Node, path: str) -> Iterator[str]:
        olds, news = list(_alternatives(old, self.old_root)), list(_alternatives(new, self.new_root))
        unknown = sorted({keyword for each in olds + news for keyword in _constraints(each)} - _JUDGED)
        if unknown:
            if old != new or "$ref" in str(old):
                yield f"{path}: uses `{'`, `'.join(unknown)}`; whether old records would be readable can't be judged"
            return
        found = [reason for each in olds for reason in self._kept(each, news, new, path)]
        yield from found or _refused_by_the_registry(old, new, path)

    def _kept(self, old: Node, news: Sequence[Node], new: Node, path: str) -> Iterator[str]:
        values = _values(old)
        return self._accepted(old, news, path) if values is None else self._values_accepted(values, new, path)

    def _values_accepted(self, values: Sequence[Any], new: Node, path: str) -> Iterator[str]:
        referenced = {name: self.new_root[name] for name in ("definitions", "$defs") if name in self.new_root}
        reader = Draft7Validator(dict(new) | referenced)
        for value in values:
            if not reader.is_valid(value):
                yield f"{path}: {value!r} is no longer allowed; old records with it would not be readable"

    def _accepted(self, old: Node, news: Sequence[Node], path: str) -> Iterator[str]:
        answers = [list(self._same_type(old, new, path)) for new in news if _covers_type(old, new)]
        if answers:
            yield from min(answers, key=len)
        else:
            now = " or ".join(_words(new) for new in news)
            yield f"{path}: type changed from {_words(old)} to {now}; old records would not be readable"

    def _same_type(self, old: Node, new: Node, path: str) -> Iterator[str]:
        values = _values(new)
        if values is not None:
            yield f"{path}: limited to {_listed(values)}; old records with other values would not be readable"
        yield from _narrowed(old, new, path)
        yield from _tightened(old, new, path)
        if old.get("type", "object") == "object":
            yield from self._fields_kept(old, new, path)
        if old.get("type", "array") == "array":
            yield from self.reasons(old.get("items", True), new.get("items", True), f"{path}[]")

    def _fields_kept(self, old: Node, new: Node, path: str) -> Iterator[str]:
        was, now = old.get("properties", {}), new.get("properties", {})
        others_were, others_are = old.get("additionalProperties", True), new.get("additionalProperties", True)
        for name in was:
            if name not in now and others_are is False:
                yield f"{path}.{name}: field removed; old records that have it would not be readable"
            else:
                yield from self.reasons(was[name], now.get(name, others_are), f"{path}.{name}")
        for name in now:
            if name not in was:
                yield from self.reasons(others_were, now[name], f"{path}.{name}")
        for name in new.get("required", ()):
            if name not in old.get("required", ()):
                yield f"{path}.{name}: field is now required; old records without it would not be readable"
        yield from self.reasons(others_were, others_are, f"{path}.*")
        names_were, names_are = old.get("propertyNames", {"type": "string"}), new.get("propertyNames", True)
        yield from self.reasons(names_were, names_are, f"{path} (names)")


def _resolve(node: Node | bool, root: Node) -> Node:
    if isinstance(node, bool):
        return ANYTHING if node else NOTHING
    resolved: Any = node
    while "$ref" in resolved:
        path = resolved["$ref"].removeprefix("#").strip("/").split("/")
        resolved = reduce(getitem, path, root)
    found: Node = resolved
    return found


def _constraints(node: Node) -> set[str]:
    return node.keys() - _ANNOTATIONS


def _alternatives(node: Node, root: Node) -> Iterator[Node]:
    """What a value may be, one type each. A choice within a choice stays as it is, and is not judged."""
    if _constraints(node) == {"anyOf"}:
        yield from (_resolve(each, root) for each in node["anyOf"])
    elif isinstance(node.get("type"), list):
        yield from ({**node, "type": each} for each in node["type"])
    else:
        yield node


def _refused_by_the_registry(old: Node, new: Node, path: str) -> Iterator[str]:
    """Apicurio compares like with like; it makes an exception for a field that was text, but not for an element."""
    was, now = _kind(old), _kind(new)
    is_field = not path.endswith(("[]", ".*"))
    if was != now and not (is_field and old.get("type") == "string" and now == "a choice"):
        yield f"{path}: {was} became {now}; old records would be readable, but the registry refuses it: add a new field"
    elif len(new.get("anyOf", ())) < len(old.get("anyOf", ())):
        yield f"{path}: fewer alternatives; old records would be readable, but the registry refuses it: keep them all"


def _kind(node: Node) -> str:
    if _values(node) is not None:
        return "a list of values"
    return "a choice" if "anyOf" in node or isinstance(node.get("type"), list) else "a single type"


def _values(node: Node) -> Sequence[Any] | None:
    values: Sequence[Any] | None = [node["const"]] if "const" in node else node.get("enum")
    return values


def _covers_type(old: Node, new: Node) -> bool:
    was, now = old.get("type"), new.get("type")
    return now in {None, was} or (was, now) == ("integer", "number")


def _words(node: Node) -> str:
    values = _values(node)
    return str(node.get("type", "anything")) if values is None else _listed(values)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def _narrowed(old: Node, new: Node, path: str) -> Iterator[str]:
    was, now = old.get("contentEncoding"), new.get("contentEncoding")
    if was != now:
        yield f"{path}: encoding changed from {was or 'none'} to {now or 'none'}; old records would be read wrongly"
    for keyword in sorted(_NARROWING & new.keys()):
        was, now = old.get(keyword), new[keyword]
        if was is None:
            yield f"{path}: {keyword} {now} added; old records that don't fit it would not be readable"
        elif was != now:
            yield f"{path}: {keyword} changed from {was} to {now}; whether old records fit it can't be judged"


def _tightened(old: Node, new: Node, path: str) -> Iterator[str]:
    for lower, upper in _LIMITS.items():
        if new.get(lower, 0) > old.get(lower, 0):
            yield f"{path}: {lower} raised from {old.get(lower, 0)} to {new[lower]}; shorter ones would not be readable"
        if new.get(upper, math.inf) < old.get(upper, math.inf):
            was = old.get(upper, "no limit")
            yield f"{path}: {upper} lowered from {was} to {new[upper]}; longer ones would not be readable"
    was, now = _lower_bound(old), _lower_bound(new)
    if now > was:
        words = f"from {_bound_words(was, 'above')} to {_bound_words(now, 'above')}"
        yield f"{path}: lower bound raised {words}; smaller old values would not be readable"
    was, now = _upper_bound(old), _upper_bound(new)
    if now < was:
        words = f"from {_bound_words(was, 'below')} to {_bound_words(now, 'below')}"
        yield f"{path}: upper bound lowered {words}; larger old values would not be readable"


def _lower_bound(node: Node) -> tuple[float, int]:
    """The bound, and 1 if it is itself too small: the greater pair is the tighter bound."""
    return max((node.get("minimum", -math.inf), 0), (node.get("exclusiveMinimum", -math.inf), 1))


def _upper_bound(node: Node) -> tuple[float, int]:
    """The bound, and -1 if it is itself too large: the lesser pair is the tighter bound."""
    return min((node.get("maximum", math.inf), 0), (node.get("exclusiveMaximum", math.inf), -1))


def _bound_words(bound: tuple[float, int], excluded: str) -> str:
    value, is_excluded = bound
    if math.isinf(value):
        return "none"
    return f"{excluded} {value}" if is_excluded else str(value)
