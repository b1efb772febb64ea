"""What does Flink make of a pipeline, and would its state be found again after a change?

State is found by uid, and a uid is a node's number in the plan and what it does: a node put in front of others
renumbers them. So plans are compared node by node, and only those that keep state count.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

Verdict = Literal["same", "compatible", "breaks state"]

_STATELESS = {
    "calc",
    "correlate",
    "drop-update-before",
    "exchange",
    "expand",
    "local-group-aggregate",
    "local-window-aggregate",
    "lookup-join",
    "mini-batch-assigner",
    "python-calc",
    "python-correlate",
    "union",
    "values",
    "watermark-assigner",
}
"""Kinds of node that forget each row when they have dealt with it; every other kind is taken to keep state."""
_GATHERS_IN_WINDOWS = {
    "global-window-aggregate",
    "group-window-aggregate",
    "window-aggregate",
    "window-deduplicate",
    "window-join",
    "window-rank",
}
_SOURCE = "table-source-scan"
_EVENT_TIME = '"ROWTIME"'
"""In the type of a column that watermarks go by."""
_SAYS_NOTHING_OF_STATE = {"id", "type", "description", "configuration", "inputProperties", "state", "outputType"}
_NUMBERED = re.compile(r"\$cor\d+")
_STEP = re.compile(r"(?P<uid>\d+_(?P<kind>[\w-]+))(?: (?P<table>\S+))?: (?P<description>.*)")
_STATE = re.compile(r"  state (?P<digest>[0-9a-f]+)(?:: (?P<times_to_live>.+))?")


@dataclass(frozen=True)
class Node:
    """One step of a plan."""

    json: Mapping[str, Any]
    inputs: Sequence["Node"]

    @property
    def number(self) -> int:
        """Its number in the plan; those of its inputs are smaller."""
        return int(self.json["id"])

    @property
    def kind(self) -> str:
        """What it does, such as `window-aggregate`."""
        return str(self.json["type"]).removeprefix("stream-exec-").rpartition("_")[0]

    @property
    def uid(self) -> str:
        """What its state is found by."""
        return f"{self.json['id']}_{self.kind}"

    @property
    def description(self) -> str:
        """As Flink shows it, without the catalog."""
        return str(self.json["description"]).replace("default_catalog.default_database.", "")

    @property
    def short(self) -> str:
        """Enough of the description to know which it is."""
        return _short(self.kind, self.table, self.description)

    @property
    def is_source(self) -> bool:
        """Whether it reads a table."""
        return self.kind == _SOURCE

    @property
    def table(self) -> str | None:
        """The name of the table that it reads or writes."""
        return self.identifier.rpartition(".")[2].strip("`") if self.identifier else None

    @property
    def identifier(self) -> str | None:
        """The table that it reads or writes, with its catalog and database, each in backticks."""
        return str(self._table["identifier"]) if self._table else None

    @property
    def options(self) -> dict[str, str]:
        """Of the table that it reads or writes, if the plan holds them."""
        return dict(self._table.get("resolvedTable", {}).get("options", {}))

    @property
    def _table(self) -> Mapping[str, Any]:
        found: Iterator[Mapping[str, Any]] = (
            self.json[key]["table"] for key in ("scanTableSource", "dynamicTableSink") if key in self.json
        )
        return next(found, {})

    @property
    def columns(self) -> list[str]:
        """Names of its columns; none of a sink."""
        return (
            []
            if self.table is not None and not self.is_source
            else [name for name, _ in _columns(self.json["outputType"])]
        )

    def carries(self, source: "Node", positions: Set[int]) -> Set[int]:
        """Positions of its columns that are made of those of one of its inputs."""
        if (projection := self.json.get("projection")) is not None:
            return {position for position, each in enumerate(projection) if _read_columns(each) & positions}
        if self.kind == "union":
            return positions
        # Of two columns with one name, a join gives the second a number.
        names = {source.columns[position] for position in positions}
        found = (at for at, name in enumerate(self.columns) if name in names or re.sub(r"\d+$", "", name) in names)
        return set(found)

    def picks(self, positions: Set[int]) -> bool:
        """Whether its condition asks that something made of these columns of its input isn't null."""
        return any(_read_columns(each) & positions for each in _not_null(self.json.get("condition")))

    @property
    def keeps_state(self) -> bool:
        """Whether it remembers anything between rows."""
        return self.kind not in _STATELESS

    @property
    def times_to_live(self) -> dict[str, str]:
        """How long it keeps each of its states, where `table.exec.state.ttl` limits it."""
        return {state["name"]: state["ttl"] for state in self.json.get("state", ())}

    @property
    def is_unbounded(self) -> bool:
        """Whether it keeps what it has seen for ever, as far as the plan shows."""
        return _is_unbounded(self.times_to_live)

    @property
    def reaches_back_for_ever(self) -> bool:
        """Whether it is an OVER window that begins with the first row; how long it keeps rows isn't in the plan."""
        groups = self.json.get("overSpec", {}).get("groups", ())
        return any(group["lowerBound"]["kind"] == "UNBOUNDED_PRECEDING" for group in groups)

    @property
    def waits_for_ever(self) -> bool:
        """Whether it is a MATCH_RECOGNIZE without WITHIN, for which no time to live counts."""
        return self.kind == "match" and self.json["matchSpec"].get("interval") is None

    @property
    def adds_watermark(self) -> bool:
        """Whether it is `with_watermark`, under whatever name."""
        return self.kind == "process-table-function" and "last_watermark" in self.columns

    @property
    def drops_late_rows(self) -> bool:
        """Whether it goes by event time and drops rows that are behind the watermark."""
        match self.kind:
            case "interval-join":
                return bool(self.json["intervalJoinSpec"]["windowBounds"]["isEventTime"])
            case "deduplicate":
                return bool(self.json["isRowtime"] and self.json["outputInsertOnly"])
            case "window-table-function":
                return self._has_event_time_window and self.json["windowing"]["window"]["type"] == "SessionWindow"
            case "match" | "over-aggregate" | "temporal-sort":
                return self._is_ordered_by_event_time
            case kind:
                return kind in _GATHERS_IN_WINDOWS and self._has_event_time_window

    @property
    def _is_ordered_by_event_time(self) -> bool:
        spec = self.json["overSpec"]["groups"][0] if "overSpec" in self.json else self.json.get("matchSpec", self.json)
        columns = _columns(self.inputs[0].json["outputType"])
        return _EVENT_TIME in columns[spec["orderBy"]["fields"][0]["index"]][1]

    @property
    def _has_event_time_window(self) -> bool:
        windows = [self.json.get(key) for key in ("window", "windowing", "leftWindowing", "rightWindowing")]
        return _EVENT_TIME in json.dumps(windows)

    @property
    def key_differs(self) -> bool:
        """Whether it writes to a table whose primary key isn't the query's."""
        return bool(self.json.get("requireUpsertMaterialize"))

    @cached_property
    def state(self) -> Any:
        """What must be equal for state to fit: a renamed column changes nothing, another type or key does."""
        if self.table is not None:
            return self.table
        columns = [_columns(each.json["outputType"]) for each in self.inputs]
        if self.kind == "deduplicate" and not self.json["keepLastRow"] and not self.json["isRowtime"]:
            return [columns[0][position] for position in self.json["uniqueKeys"]]
        own = {key: value for key, value in self.json.items() if key not in _SAYS_NOTHING_OF_STATE}
        keys = [columns[0][position] for position in own.get("grouping", ())]
        return [_without_names(own), keys, [[type_ for _, type_ in each] for each in columns]]


@dataclass(frozen=True)
class Plan:
    """All steps, those that come first in front."""

    nodes: Sequence[Node]


@dataclass(frozen=True)
class Step:
    """What is kept of a node: enough to decide whether its state would be found again."""

    uid: str
    kind: str
    table: str | None
    description: str
    state: str | None
    """A digest of what must be equal for state to fit; None if it keeps none."""
    times_to_live: Mapping[str, str]

    @property
    def short(self) -> str:
        """As a node's."""
        return _short(self.kind, self.table, self.description)

    @property
    def is_unbounded(self) -> bool:
        """As a node's."""
        return _is_unbounded(self.times_to_live)


@dataclass(frozen=True)
class Change:
    """One difference between two plans."""

    verdict: Verdict
    words: str


def read(compiled: Mapping[str, Any]) -> Plan:
    """A plan as `normal` gives it."""
    sources: dict[int, list[int]] = {}
    for edge in compiled["edges"]:
        sources.setdefault(edge["target"], []).append(edge["source"])
    nodes: dict[int, Node] = {}
    for each in sorted(compiled["nodes"], key=lambda node: node["id"]):
        nodes[each["id"]] = Node(each, [nodes[source] for source in sources.get(each["id"], ())])
    return Plan(list(nodes.values()))


def normal(compiled: Mapping[str, Any]) -> dict[str, Any]:
    """The same plan whatever was planned before it in the same JVM: numbers begin with 1."""
    names: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"$cor{len(names)}")

    plan: dict[str, Any] = json.loads(_NUMBERED.sub(renamed, json.dumps(compiled)))
    first = min(node["id"] for node in plan["nodes"])
    for node in plan["nodes"]:
        node["id"] -= first - 1
    for edge in plan["edges"]:
        edge["source"] -= first - 1
        edge["target"] -= first - 1
    plan["nodes"].sort(key=lambda node: node["id"])
    plan["edges"].sort(key=lambda edge: edge["target"])
    return plan


def text(compiled: Mapping[str, Any]) -> str:
    """Return a plan as it is kept: a line for each step with its uid, and one for its state, if it keeps any.

    The state's line has a digest of what must be equal for state to fit, and each time to live.
    """
    lines = []
    for node in read(compiled).nodes:
        table = f" {node.table}" if node.table else ""
        lines.append(f"{node.uid}{table}: {node.description.replace(chr(10), ' ')}")
        if node.keeps_state:
            digest = hashlib.sha256(json.dumps(node.state, sort_keys=True).encode()).hexdigest()[:16]
            times = ", ".join(f"{name} {ttl}" for name, ttl in node.times_to_live.items())
            lines.append(f"  state {digest}{f': {times}' if times else ''}")
    return "\n".join([*lines, ""])


def compare(old: str, new: str) -> list[Change]:
    """What has changed, and for each change whether a savepoint of the old plan would restore in the new one.

    Args:
        old: a plan as it is kept; so is the new one.
    """
    before, after = _steps(old), _steps(new)
    return [*_of_state(_with_state(before), _with_state(after)), *_of_the_rest(before, after)]


def _steps(kept: str) -> list[Step]:
    """Inverse of `text`."""
    steps: list[Step] = []
    for line in kept.splitlines():
        if state := _STATE.fullmatch(line):
            each = (part.partition(" ") for part in (state["times_to_live"] or "").split(", ") if part)
            times = {name: ttl for name, _, ttl in each}
            steps[-1] = replace(steps[-1], state=state["digest"], times_to_live=times)
        elif step := _STEP.fullmatch(line):
            steps.append(Step(**step.groupdict(), state=None, times_to_live={}))
        else:
            raise ValueError(f"no line of a kept plan: {line}")
    return steps


def _with_state(steps: Sequence[Step]) -> dict[str, Step]:
    """Steps that keep state, by uid."""
    return {step.uid: step for step in steps if step.state is not None}


def _short(kind: str, table: str | None, description: str) -> str:
    words = description if table is None else f"{'source' if kind == _SOURCE else 'sink'} {table}"
    return words if len(words) <= 100 else f"{words[:99]}…"


def _is_unbounded(times_to_live: Mapping[str, str]) -> bool:
    return any(ttl.startswith("0 ") for ttl in times_to_live.values())


def verdict(changes: Sequence[Change]) -> Verdict:
    """The worst of them."""
    verdicts = {change.verdict for change in changes}
    return "breaks state" if "breaks state" in verdicts else "compatible" if verdicts else "same"


def _of_state(before: Mapping[str, Step], after: Mapping[str, Step]) -> Iterator[Change]:
    for uid, node in before.items():
        if uid not in after:
            yield Change("breaks state", f"{node.short}: {_why_gone(node, after)}")
        elif node.state != after[uid].state:
            yield Change("breaks state", f"{node.short} keeps something else now, under the same uid {uid}")
        elif node.times_to_live != after[uid].times_to_live:
            yield _of_time_to_live(node, after[uid])
        elif node.description != after[uid].description:
            yield Change("compatible", f"{after[uid].short} is different, and keeps the same state")
    for uid, node in after.items():
        if uid not in before:
            yield Change("compatible", f"{node.short} is new and begins with nothing (uid {uid})")


def _why_gone(node: Step, after: Mapping[str, Step]) -> str:
    moved = next((other for other in after.values() if (other.kind, other.state) == (node.kind, node.state)), None)
    if moved is None:
        return f"it is gone, and a savepoint's state for uid {node.uid} would have no place"
    return (
        f"its uid was {node.uid} and is {moved.uid} now, since something was added or removed in front of it; "
        "add new inserts at the end"
    )


def _of_time_to_live(old: Step, new: Step) -> Change:
    was, is_ = (", ".join(f"{name} {ttl}" for name, ttl in node.times_to_live.items()) for node in (old, new))
    words = f"{new.short} kept {was} and keeps {is_} now"
    if old.is_unbounded != new.is_unbounded:
        return Change("breaks state", f"{words}: with and without a time to live, state is written differently")
    return Change("compatible", words)


def _of_the_rest(before: Sequence[Step], after: Sequence[Step]) -> Iterator[Change]:
    known = {node.description for node in before if node.state is None}
    new = {node.description for node in after if node.state is None}
    for node in after:
        if node.state is None and node.description not in known:
            yield Change("compatible", f"{node.short} is new or different; it keeps no state")
    for node in before:
        if node.state is None and node.description not in new:
            yield Change("compatible", f"{node.short} is gone or different; it kept no state")


def _columns(type_: Any) -> list[tuple[str, str]]:
    """Names and types of a row's columns; Flink writes simple rows as text, others as objects."""
    if not isinstance(type_, str):
        return [(field["name"], json.dumps(field["fieldType"], sort_keys=True)) for field in type_["fields"]]
    parts, depth = [""], 0
    for character in type_[type_.index("<") + 1 : type_.rindex(">")]:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [(name.strip(" `"), rest) for name, _, rest in (part.strip().partition("` ") for part in parts)]


def _without_names(value: Any) -> Any:
    """Without what a column or a result is called."""
    if isinstance(value, Mapping):
        return {key: _without_names(each) for key, each in value.items() if key != "name"}
    if isinstance(value, list):
        return [_without_names(each) for each in value]
    return value


def _read_columns(expression: Any) -> Set[int]:
    """Positions of the input's columns that an expression reads."""
    if isinstance(expression, Mapping):
        own = {int(expression["inputIndex"])} if expression.get("kind") == "INPUT_REF" else set()
        return own.union(*(_read_columns(each) for each in expression.values()))
    if isinstance(expression, list):
        return set[int]().union(*(_read_columns(each) for each in expression))
    return set()


def _not_null(expression: Any) -> Iterator[Any]:
    """The `… IS NOT NULL` in an expression."""
    if isinstance(expression, list):
        for each in expression:
            yield from _not_null(each)
    if isinstance(expression, Mapping):
        if str(expression.get("internalName", "")).startswith("$IS NOT NULL$"):
            yield expression
        for each in expression.values():
            yield from _not_null(each)
