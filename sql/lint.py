"""Which habits of a pipeline will hurt later? Each rule says where, what, and what to do instead."""

import re
from collections.abc import Iterator, Set
from itertools import pairwise

from sql.pipeline import Pipeline
from sql.plans import Plan
from sql.statements import Statement

DEAD_LETTERS = "dead-letters"
GUARDED = "guarded-json"
_COMMENT_SAYS = ("One row per:", "Keyed by:", "Late:")


def findings(pipeline: Pipeline, plan: Plan) -> list[str]:
    """What is to be mended, in the order of the rules; nothing if all is well."""
    return [
        *_comment_without(pipeline),
        *_sources_without_watermark(pipeline, plan),
        *_unbounded_state(pipeline, plan),
        *_keys_that_differ(pipeline, plan),
        *_all_columns_into_a_sink(pipeline),
        *_without_dead_letters(pipeline, plan),
    ]


def _comment_without(pipeline: Pipeline) -> Iterator[str]:
    for words in _COMMENT_SAYS:
        if words not in pipeline.comment:
            yield f"{pipeline.file}, line 1: the comment that it begins with doesn't say `{words} …`"


def _sources_without_watermark(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    for table in _sources(pipeline, plan):
        if not table.says("WATERMARK", "FOR"):
            yield (
                f"{table.place}: a source without a watermark, so no window over it is ever closed; "
                "add WATERMARK FOR event_time AS event_time - INTERVAL …"
            )


def _unbounded_state(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    settings = dict(setting for each in pipeline.preparations if (setting := each.setting()))
    has_time_to_live = not settings.get("table.exec.state.ttl", "0").startswith("0")
    for node in plan.nodes:
        if node.is_unbounded or (node.reaches_back_for_ever and not has_time_to_live):
            yield (
                f"{pipeline.file}: unbounded state: {node.description} keeps what it has seen for ever; "
                "use a window or an interval, or SET 'table.exec.state.ttl'"
            )


def _keys_that_differ(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    said = re.search(r"Keyed by:\s*((?:(?!Late:|One row per:).)*)", pipeline.comment, re.DOTALL)
    for insert in pipeline.inserts:
        table = _created(pipeline, insert.target())
        if table is None or _is_dead_letters(table):
            continue
        columns = table.options().get("key.fields", "").split(";")
        strange = [column for column in columns if column and column != "record_key" and column not in _words(said)]
        if said and strange:
            yield (
                f"{insert.place}: the table is keyed by {', '.join(strange)}, but the file's comment says "
                f"`Keyed by: {said[1].strip()}`"
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


def _without_dead_letters(pipeline: Pipeline, plan: Plan) -> Iterator[str]:
    rejecting = list(_behind_dead_letters(pipeline))
    for table in _sources(pipeline, plan):
        options = table.options()
        form = options.get("value.format") or options.get("format")
        if options.get("connector") != "kafka" or form == "raw":
            continue
        if form != GUARDED:
            yield f"{table.place}: no dead letters: a record that isn't {form} stops the job; use '{GUARDED}'"
        elif not any(
            table.creates() in each.references() and each.says("ERROR", "IS", "NOT", "NULL") for each in rejecting
        ):
            name = table.creates()
            yield (
                f"{pipeline.file}: no dead letters of {name}: what doesn't decode is lost; "
                f"add INSERT INTO dead_letters_out SELECT … FROM dead_letters_of_{name}"
            )


def _behind_dead_letters(pipeline: Pipeline) -> Iterator[Statement]:
    """The inserts into dead letters and, one after the other, the views that they read."""
    views = {name: each for each in pipeline.preparations if (name := each.creates()) and not each.is_table()}
    left = [each for each in pipeline.inserts if _is_dead_letters(_created(pipeline, each.target()))]
    seen: set[str] = set()
    while left:
        statement = left.pop()
        yield statement
        named = (statement.references() & views.keys()) - seen
        seen |= named
        left += [views[name] for name in sorted(named)]


def _sources(pipeline: Pipeline, plan: Plan) -> list[Statement]:
    read = {node.table for node in plan.nodes if node.is_source}
    return [each for each in pipeline.preparations if each.is_table() and each.creates() in read]


def _created(pipeline: Pipeline, name: str | None) -> Statement | None:
    return next((each for each in pipeline.preparations if each.is_table() and each.creates() == name), None)


def _is_dead_letters(table: Statement | None) -> bool:
    return table is not None and table.options().get("topic") == DEAD_LETTERS


def _words(said: re.Match[str] | None) -> Set[str]:
    return set(re.findall(r"\w+", said[1])) if said else set()
