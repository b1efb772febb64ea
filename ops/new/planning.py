"""Drafts of events, pipelines, jobs and rules: the files and lines that each adds to a checkout."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.kafka.topics import Topic
from events import base
from jobs.flow import PROGRAMS
from ops.new.changes import TODO, Changes, DraftError, rendered
from ops.new.columns import Column, columns
from ops.new.names import PYTHON, TOPICS_FILE, Field, camel, constant_of, declared_as, snake, table_of
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import RulesetError, facts_in_words

FLOW = "jobs/flow.py"
BUILDERS = "tests/builders/events.py"
FILLED_BY_THE_DRAFT = ("event_id", "event_time", "event_type", "window_start", "window_end")
"""Columns of a pipeline's sink that don't depend on what is asked."""


def event_changes(checkout: Path, name: str, topic: str, key: str, fields: Sequence[Field]) -> Changes:
    """Plan an event: struct, topic, source table, default row, builder.

    Raises:
        DraftError: a name is taken, or a place to insert at isn't found.
    """
    changes = Changes(checkout)
    event, constant = camel(name), constant_of(topic)
    own = [each for each in (Field(key, "Identifier"), *fields) if each.name not in base.Event.__struct_fields__]
    own = list({each.name: each for each in own}.values())
    for path in ("events/__init__.py", TOPICS_FILE, BUILDERS):
        changes.refuse(path, rf"\b{event}\b", f"the name {event}")
    changes.refuse(
        TOPICS_FILE, rf'^{constant}\b|Topic\(\s*"{re.escape(topic)}"', f"a topic {topic}, or the name {constant},"
    )
    changes.refuse(BUILDERS, rf"^def {name}\(", f"a builder {name}")
    changes.add(
        f"events/{name}.py",
        "event.py.jinja",
        name=name,
        event=event,
        key=key,
        fields=own,
        base_types=["Event", *{each.type for each in own if hasattr(base, each.type)}],
    )
    changes.insert(
        "events/__init__.py",
        "the import from events.base",
        r"^from events\.base import [^\n]*\n",
        f"from events.{name} import {event}\n",
    )
    changes.insert("events/__init__.py", "`__all__ = [`", r"^__all__ = \[\n", f'    "{event}",\n')
    changes.insert(TOPICS_FILE, "`from events import (`", r"^from events import \(\n", f"    {event},\n")
    declaration = rendered("topic.py.jinja", constant=constant, topic=topic, key=key, event=event)
    changes.insert(TOPICS_FILE, "the blank line before `TOPICS = (`", r"\n(?=\nTOPICS = \()", declaration)
    changes.insert(TOPICS_FILE, "the last name in `TOPICS = (…)`", r"^TOPICS = \([^)]*", f"    {constant},\n")
    shown = [Column("event_id", "STRING"), Column("event_type", "STRING"), *(each.column for each in own)]
    _add_source_table(changes, topic, key, shown)
    changes.add(f"tests/pipelines/defaults/{topic}.json", "defaults.json.jinja", name=name, fields=own)
    changes.insert(BUILDERS, "`from events import (`", r"^from events import \(\n", f"    {event},\n")
    changes.insert(BUILDERS, "the last line", r"\n\Z", rendered("builder.py.jinja", name=name, event=event, fields=own))
    return changes


def pipeline_changes(checkout: Path, name: str, reads: Topic, writes: Topic) -> Changes:
    """Plan a pipeline: its file, the tables that are missing, a test case, its entry in the data flow.

    Raises:
        DraftError: a name is taken, a place to insert at isn't found, or the topic that is read has no default row.
    """
    changes = Changes(checkout)
    _refuse_program(changes, name)
    source, sink_columns = _source_columns(reads), columns(writes.event)
    defaults = f"tests/pipelines/defaults/{reads.name}.json"
    if not changes.has(defaults):
        raise DraftError(f"{defaults} isn't there, from which rows of the pipeline's case are completed: add it first")
    asked = [each for each in sink_columns if each.name not in FILLED_BY_THE_DRAFT]
    values: dict[str, Any] = {
        "name": name,
        "reads": reads.name,
        "source": table_of(reads.name),
        "sink": table_of(writes.name),
        "key": writes.key,
        "key_as_text": _key_as_text(writes, sink_columns),
        "source_columns": source,
        "sink_columns": sink_columns,
        "asked": asked,
        "grouped": [each.name for each in asked if each.name == writes.key and each in source],
        "event_type": _event_type(writes),
    }
    changes.add(f"sql/pipelines/{name}.sql", "pipeline.sql.jinja", **values)
    _add_missing_source_table(changes, reads)
    sink = f"sql/tables/{values['sink']}_out.sql"
    if not changes.has(sink):
        table, topic, key = values["sink"], writes.name, writes.key
        changes.add(sink, "sink_table.sql.jinja", table=table, topic=topic, key=key, columns=sink_columns)
    case = f"tests/pipelines/{name}/late_and_duplicates"
    changes.add(f"{case}/in/{reads.name}.jsonl", "case_in.jsonl.jinja")
    changes.add(f"{case}/out/{writes.name}.jsonl", "case_out.jsonl.jinja", **values)
    changes.add(f"{case}/out/dead-letters.jsonl", "case_letters.jsonl.jinja", **values)
    _add_to_data_flow(changes, "PIPELINES", name, reads, writes)
    return changes


def job_changes(checkout: Path, name: str, reads: Topic, writes: Topic) -> Changes:
    """Plan a job: its topology and decision, a test on the mini-cluster, its entry in the data flow.

    Raises:
        DraftError: a name is taken, a place to insert at isn't found, or there is no builder of what it reads.
    """
    changes = Changes(checkout)
    _refuse_program(changes, name)
    read_event, written_event = reads.event.__name__, writes.event.__name__
    found = re.search(rf"^def (\w+)\([^)]*\) -> {read_event}:", (checkout / BUILDERS).read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise DraftError(f"{BUILDERS} has no function that makes a {read_event} for the job's test: add one first")
    values: dict[str, Any] = {
        "name": name,
        "reads": reads.name,
        "writes": writes.name,
        "source": table_of(reads.name),
        "key": writes.key,
        "read_event": read_event,
        "read_name": snake(read_event),
        "read_constant": declared_as(reads),
        "written_event": written_event,
        "written_name": snake(written_event),
        "written_constant": declared_as(writes),
        "function": f"Decide{camel(name)}",
        "builder": found[1],
        "emitted": sorted(("dead-letters", writes.name)),
    }
    changes.add(f"udfs/{name}.py", "decide.py.jinja", **values)
    changes.add(f"jobs/{name}.py", "job.py.jinja", **values)
    changes.add(f"tests/cluster/jobs/test_{name}.py", "job_test.py.jinja", **values)
    _add_missing_source_table(changes, reads)
    _add_to_data_flow(changes, "JOBS", name, reads, writes)
    return changes


def rule_changes(checkout: Path, name: str, file: str) -> Changes:
    """Plan a rule at the end of a ruleset file.

    Raises:
        DraftError: the file isn't there or is no ruleset, or has a rule of that name.
    """
    changes = Changes(checkout)
    changes.insert(file, "the last line", r"\n\Z", rendered("rule.toml.jinja", name=name, facts=_facts()))
    try:
        rules = ruleset_files.parse((checkout / file).read_text("utf-8")).rule
    except RulesetError as error:
        raise DraftError(f"{file} is no ruleset, so nothing is added to it; correct it first: {error}") from error
    if name in {rule.name for rule in rules}:
        raise DraftError(f"{file} has a rule {name} already: choose another name")
    return changes


def _source_columns(topic: Topic) -> list[Column]:
    """Return the columns of a source table that come from the record's value; the event time comes from the record."""
    return [each for each in columns(topic.event) if each.name != "event_time"]


def _event_type(topic: Topic) -> str:
    """Return the event type of a topic; where there are several, the mark of a decision."""
    [field] = [each for each in msgspec.structs.fields(topic.event) if each.name == "event_type"]
    return str(TODO if field.default is msgspec.NODEFAULT else field.default)


def _key_as_text(topic: Topic, shown: Sequence[Column]) -> str:
    """Return the SQL that puts the key into an event's id."""
    if topic.key == "event_id":
        return ""
    [column] = [each for each in shown if each.name == topic.key]
    return f"{column.name}, " if column.type == "STRING" else f"CAST({column.name} AS STRING), "


def _add_missing_source_table(changes: Changes, topic: Topic) -> None:
    if not changes.has(f"sql/tables/{table_of(topic.name)}.sql"):
        _add_source_table(changes, topic.name, topic.key, _source_columns(topic))


def _add_source_table(changes: Changes, topic: str, key: str, shown: Sequence[Column]) -> None:
    changes.add(
        f"sql/tables/{table_of(topic)}.sql",
        "source_table.sql.jinja",
        topic=topic,
        key=key,
        table=table_of(topic),
        columns=shown,
        schema_variable=f"{constant_of(topic)}_SCHEMA",
    )


def _refuse_program(changes: Changes, name: str) -> None:
    """Make sure that a name is free: a job and a pipeline of one name would share a consumer group."""
    for path in (f"jobs/{name}.py", f"sql/pipelines/{name}.sql", f"udfs/{name}"):
        if changes.has(path):
            raise DraftError(f"{path} is there already, and the consumer group has that name: choose another name")
    changes.refuse(FLOW, rf'^{name.upper()}\b|Program\(\s*"{name}"', f"a program {name}, or the name {name.upper()},")


def _add_to_data_flow(changes: Changes, tuple_: str, name: str, reads: Topic, writes: Topic) -> None:
    writers = [program.name for program in PROGRAMS if writes in program.writes]
    if writers:
        raise DraftError(
            f"{writes.name} is written by {writers[0]} already, and a topic has one writer: declare a topic of its own "
            f"with `{PYTHON} ops new event NAME --topic TOPIC --key FIELD`"
        )
    program = (
        f'{name.upper()} = Program("{name}", reads=(topics.{declared_as(reads)},), '
        f"writes=(topics.{declared_as(writes)},))\n"
    )
    changes.insert(FLOW, "the blank line before `PRODUCERS = (`", r"\n(?=\nPRODUCERS = \()", program)
    for each in (tuple_, "PROGRAMS"):
        changes.insert(
            FLOW, f"the last program in `{each} = (…)`", rf"^{each} = \([^)]*?(?=,?\s*\))", f", {name.upper()}"
        )
    row = f"| `{name}` | `{reads.name}` | `{writes.name}` |\n"
    changes.insert(
        "docs/architecture.md",
        "the table of programs",
        r"^\| program \| reads \| emits or fills \|\n(?:\|[^\n]*\n)+",
        row,
    )


def _facts() -> list[str]:
    """Return the facts of a condition, as lines of a comment: one paragraph a kind and unit."""
    kinds: dict[str, list[str]] = {}
    for fact, kind, unit in facts_in_words(payment_features()):
        kinds.setdefault(f"{kind}, {unit}" if unit else kind, []).append(fact)
    return [
        line
        for kind, names in kinds.items()
        for line in textwrap.wrap(f"{kind}: {', '.join(names)}", 116, subsequent_indent="  ")
    ]
