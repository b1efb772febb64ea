"""Finds habits of a pipeline that will hurt later. Each finding has the place, the fault, and what to do instead."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from sql.tools.pipeline import Pipeline
from sql.tools.plans import Node, Plan

DEAD_LETTERS = "dead-letters"
GUARDED = "guarded-json"
_COMMENT_SAYS = ("One row per:", "Keyed by:", "Late:")
_JUDGING_CALL = "with_watermark(input => TABLE …, on_time => DESCRIPTOR(…), uid => '…')"
_CHANGELOG_FORMATS = re.compile(r"(debezium|canal|maxwell|ogg)-.*")


@dataclass(frozen=True)
class Table:
    """What Flink's catalog has of a table."""

    place: str
    """File, line and how it begins."""
    options: Mapping[str, str]
    """Also those that a LIKE has brought."""
    primary_key: Sequence[str]

    @property
    def format(self) -> str | None:
        """Of a record's value."""
        return self.options.get("value.format") or self.options.get("format")

    @property
    def key_columns(self) -> Sequence[str]:
        """Of a record's key."""
        fields = self.options.get("key.fields")
        return fields.split(";") if fields else self.primary_key

    @property
    def is_in_kafka(self) -> bool:
        """Whether it is a topic, by whatever connector."""
        return "properties.bootstrap.servers" in self.options

    @property
    def error_column(self) -> str:
        """The column in which a guarded format has the reason why a record is bad."""
        return self.option_of_format("error-column") or "error"

    def option_of_format(self, name: str) -> str | None:
        """Such as `json.ignore-parse-errors`."""
        return self.options.get(f"value.{self.format}.{name}") or self.options.get(f"{self.format}.{name}")


@dataclass(frozen=True)
class Catalog:
    """The tables that a pipeline reads and writes, as Flink knows them when it is planned."""

    tables: Mapping[str, Table]
    """By their name in the plan."""
    targets: Sequence[str]
    """Names of those that the inserts write to, in their order."""


def findings(pipeline: Pipeline, plan: Plan, catalog: Catalog) -> list[str]:
    """Return what is to be fixed, in the order of the rules; nothing if all is well."""
    return [
        *_comment_without(pipeline),
        *_unbounded_state(pipeline, plan),
        *_keys_that_differ(pipeline, plan, catalog),
        *_all_columns_into_a_sink(pipeline),
        *_without_dead_letters(pipeline, plan, catalog),
        *_judged_by_current_watermark(pipeline),
        *_late_rows_dropped(pipeline, plan),
    ]


def _comment_without(pipeline: Pipeline) -> Iterator[str]:
    for words in _COMMENT_SAYS:
        if words not in pipeline.comment:
            yield f"{pipeline.file}, line 1: the comment that it begins with doesn't say `{words} …`"


def _unbounded_state(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    settings = dict(setting for each in pipeline.preparations if (setting := each.setting()))
    has_time_to_live = not settings.get("table.exec.state.ttl", "0").startswith("0")
    for node in plan.nodes:
        if node.is_unbounded or (node.reaches_back_for_ever and not has_time_to_live):
            yield (
                f"{pipeline.file}: unbounded state: {node.description} keeps what it has seen for ever; "
                "use a window or an interval, or SET 'table.exec.state.ttl'"
            )
        if node.waits_for_ever:
            yield (
                f"{pipeline.file}: unbounded state: {node.short} keeps what a pattern begins with until it ends, "
                "perhaps for ever; write PATTERN (…) WITHIN INTERVAL …"
            )


def _keys_that_differ(pipeline: Pipeline, plan: Plan, catalog: Catalog) -> Iterator[str]:
    keys = re.search(r"Keyed by:\s*((?:(?!Late:|One row per:).)*)", pipeline.comment, re.DOTALL)
    for insert, target in zip(pipeline.inserts, catalog.targets, strict=True):
        table = catalog.tables.get(target)
        if table is None or not table.is_in_kafka or _is_dead_letters(table):
            continue
        strange = [each for each in table.key_columns if each != "record_key" and each not in _words(keys)]
        if keys and strange:
            yield (
                f"{insert.place}: the table is keyed by {', '.join(strange)}, but the file's comment says "
                f"`Keyed by: {keys[1].strip()}`"
            )
    for node in plan.nodes:
        if node.key_differs:
            yield (
                f"{pipeline.file}: the primary key of {node.table} isn't the query's: several of its rows have one "
                "key, and Flink would have to keep them all to know which of them holds; make the keys the same"
            )


def _all_columns_into_a_sink(pipeline: Pipeline) -> Iterator[str]:
    for insert in pipeline.inserts:
        depth = 0
        for before, token in pairwise(insert.tokens):
            depth += (before.text == "(") - (before.text == ")")
            if depth == 0 and token.text == "*" and before.keyword in {"SELECT", "DISTINCT", "ALL", ",", "."}:
                yield f"{insert.place}: SELECT * into a sink: a new column would land in a wrong one; name them"
                break


def _without_dead_letters(pipeline: Pipeline, plan: Plan, catalog: Catalog) -> Iterator[str]:
    reported = _reported(plan, catalog)
    for name, node in {node.identifier: node for node in plan.nodes if node.is_source and node.identifier}.items():
        table = catalog.tables[name]
        if not table.is_in_kafka:
            continue
        if (key_format := table.options.get("key.format", "raw")) != "raw":
            yield f"{table.place}: a record whose key isn't {key_format} stops the job; use 'key.format' = 'raw'"
        if table.format == GUARDED and name not in reported:
            yield (
                f"{pipeline.file}: no dead letters of {node.table}: what doesn't decode is lost; "
                f"add INSERT INTO dead_letters_out SELECT … FROM dead_letters_of_{node.table}"
            )
        if table.format not in (GUARDED, "raw"):
            yield f"{table.place}: no dead letters: {_what_becomes_of_bad_records(table)}"


def _what_becomes_of_bad_records(table: Table) -> str:
    happens = "is lost" if table.option_of_format("ignore-parse-errors") == "true" else "stops the job"
    instead = f"use '{GUARDED}'"
    if _CHANGELOG_FORMATS.fullmatch(table.format or ""):
        instead = (
            "no format of changes reports it; captured tables are there as topics of events, such as "
            f"db_changes_customers, which '{GUARDED}' reads"
        )
    elif table.options["connector"] == "upsert-kafka":
        instead = (
            f"read the topic with 'connector' = 'kafka' and '{GUARDED}', and keep the newest row of each key with "
            "ROW_NUMBER"
        )
    return f"a record that isn't {table.format} {happens}; {instead}"


def _judged_by_current_watermark(pipeline: Pipeline) -> Iterator[str]:
    for statement in (*pipeline.preparations, *pipeline.inserts):
        if statement.contains("CURRENT_WATERMARK"):
            yield (
                f"{statement.place}: CURRENT_WATERMARK is NULL after a restore and ignores other parts of the source: "
                f"late records would be lost; compare with last_watermark of {_JUDGING_CALL}"
            )


def _late_rows_dropped(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    for node in plan.nodes:
        if node.drops_late_rows and (tables := {each.table or each.short for each in _unjudged_sources(node)}):
            yield (
                f"{pipeline.file}: late rows of {', '.join(sorted(tables))} are lost: {node.short} drops what is "
                f"behind the watermark in silence; read the source with {_JUDGING_CALL}, and send what is late by "
                "last_watermark to the dead letters, as docs/event-time.md says"
            )


def _unjudged_sources(node: Node) -> Iterator[Node]:
    """Sources whose late rows come to a step; none are left behind another step that drops them."""
    for before in node.inputs:
        if before.is_source:
            yield before
        elif not (before.adds_watermark or before.drops_late_rows):
            yield from _unjudged_sources(before)


def _reported(plan: Plan, catalog: Catalog) -> Set[str]:
    """Sources whose rows with an error go to the dead letters, by their name in the plan."""
    errors: dict[int, dict[str, Set[int]]] = {}
    """By step and source: positions of the columns that are made of the source's error."""
    picked: dict[int, Set[str]] = {}
    """By step: sources of which it has rows that were picked by their error."""
    for node in plan.nodes:
        errors[node.number], picked[node.number] = {}, set()
        if node.is_source and node.identifier:
            error = catalog.tables[node.identifier].error_column
            errors[node.number][node.identifier] = {at for at, name in enumerate(node.columns) if name == error}
        for before in node.inputs:
            picked[node.number] |= picked[before.number]
            for source, positions in errors[before.number].items():
                known = errors[node.number].get(source, set())
                errors[node.number][source] = known | node.carries(before, positions)
                if node.picks(positions):
                    picked[node.number] |= {source}
    letters = (node for node in plan.nodes if node.identifier and _is_dead_letters(catalog.tables[node.identifier]))
    return set[str]().union(*(picked[node.number] for node in letters))


def _is_dead_letters(table: Table) -> bool:
    return table.options.get("topic") == DEAD_LETTERS


def _words(text: re.Match[str] | None) -> Set[str]:
    return set(re.findall(r"\w+", text[1])) if text else set()
