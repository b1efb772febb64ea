"""Applies the declared indices and reports their state: a plan first, then its steps; deletes no document."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from elasticsearch import Elasticsearch

from ops.search.indices import (
    Declared,
    Real,
    RealIndex,
    difference,
    look,
    narrowing_options,
    next_name,
    same_template,
    settings_difference,
    write_blocks,
)


@dataclass(frozen=True)
class Step:
    """One step towards an index as declared."""

    index: Declared
    what: Literal["put template", "create index", "add fields", "set settings", "set alias", "nothing", "can't"]
    detail: str


class SearchBlockedError(RuntimeError):
    """The plan has a step that is impossible; nothing was changed. The message gives the remedy."""


def plan(wanted: Declared, real: Real) -> list[Step]:
    """Return the steps that make an alias match its file."""
    if blocked := list(_blocked(wanted, real)):
        return [Step(wanted, "can't", each) for each in blocked]
    steps = []
    if not same_template(wanted, real.template):
        steps.append(Step(wanted, "put template", f"{wanted.template_name}, mapping version {wanted.version}"))
    if not real.behind:
        name = next_name(wanted, real)
        steps.append(Step(wanted, "create index", f"{name}, behind the alias {wanted.alias}"))
    for index in real.behind:
        steps += _changes(wanted, index)
    return steps or [Step(wanted, "nothing", f"{real.behind[0].name} is as declared")]


def apply(elasticsearch: Elasticsearch, indices: Iterable[Declared]) -> list[Step]:
    """Make the indices match their files; return the steps that were carried out.

    Raises:
        SearchBlockedError: a step is impossible; nothing was changed.
    """
    indices = tuple(indices)
    steps = [step for wanted in indices for step in plan(wanted, look(elasticsearch, wanted))]
    if blocked := blocked_steps(steps):
        raise SearchBlockedError("\n".join(blocked))
    done = [step for step in steps if step.what != "nothing"]
    for step in done:
        _carry_out(elasticsearch, step)
    return done


def blocked_steps(steps: Iterable[Step]) -> list[str]:
    """Return why the steps can't be carried out; empty if they can."""
    return [f"{step.index.alias}: {step.detail}" for step in steps if step.what == "can't"]


def put_template(elasticsearch: Elasticsearch, wanted: Declared) -> None:
    """Store the index template: it applies to new indices with these names."""
    elasticsearch.indices.put_index_template(
        name=wanted.template_name,
        index_patterns=wanted.template["index_patterns"],
        priority=wanted.template["priority"],
        template=wanted.template["template"],
        meta=wanted.template["_meta"],
    )


def faults(wanted: Declared, real: Real) -> list[str]:
    """Return what is wrong with an alias's index, with what to do; empty if nothing is."""
    found = [f"{step.index.alias}: {step.detail}" for step in plan(wanted, real) if step.what == "can't"]
    if not found:
        steps = [step for step in plan(wanted, real) if step.what != "nothing"]
        found = [f"{wanted.alias}: to do: {s.what}: {s.detail}; run `python -m ops search apply`" for s in steps]
    found += [
        f"{wanted.alias}: {index.name} takes no documents: {block}"
        for index in real.behind
        for block in write_blocks(index)
    ]
    found += [
        f"{wanted.alias}: the rebuild into {index.name} was interrupted after the switch, and documents "
        f"written meanwhile may be missing; run `python -m ops search rebuild {wanted.alias}`, which continues"
        for index in real.behind
        if index.filled_to is not None
    ]
    return found


def version_fault(wanted: Declared, index: RealIndex) -> str:
    """Return why the mapping's version can't be right; empty if it can."""
    change = difference(wanted, index)
    if index.version > wanted.version:
        return (
            f"{index.name} has mapping version {index.version}, the file has {wanted.version}: these files are older "
            "than the index"
        )
    if change and index.version == wanted.version:
        changed = "; ".join((*change.changed, *(f"{each} is new" for each in change.added)))
        return (
            f"the mapping differs from that of {index.name}, but both have version {index.version}: raise it "
            f"({changed})"
        )
    return ""


def foreign_template_faults(wanted: Declared, real: Real) -> Iterator[str]:
    """Yield foreign templates that would apply to our new indices."""
    for each in real.foreign_templates:
        yield (
            f"the index template {each.name} (priority {each.priority}) takes new indices from "
            f"{wanted.template_name} (priority {wanted.template['priority']}): lower its priority, or change its "
            "index_patterns"
        )


def _blocked(wanted: Declared, real: Real) -> Iterator[str]:
    yield from foreign_template_faults(wanted, real)
    if real.is_index:
        yield "there is an index of this name where the alias should be; delete it, its documents are in the topic"
    if real.foreign_indices:
        names = ", ".join(real.foreign_indices)
        yield f"the alias also stands for {names}, which isn't ours: remove the alias from there"
    if len(real.behind) > 1:
        names = ", ".join(index.name for index in real.behind)
        yield f"the alias stands for several indices, {names}; remove it from all but one"
    for index in real.behind:
        yield from _unchangeable(wanted, index)


def _unchangeable(wanted: Declared, index: RealIndex) -> Iterator[str]:
    """Yield why the index can't become what the file declares; nothing if it can."""
    remedy = f"run `python -m ops search rebuild {wanted.alias}`"
    change = difference(wanted, index)
    _, fixed = settings_difference(wanted, index)
    if fault := version_fault(wanted, index):
        yield fault
    elif change.changed:
        yield f"{index.name} can't become as declared ({'; '.join(change.changed)}): {remedy}"
    if fixed:
        yield f"{index.name} can't change these settings ({'; '.join(fixed)}): {remedy}"


def _changes(wanted: Declared, index: RealIndex) -> Iterator[Step]:
    change = difference(wanted, index)
    settings, _ = settings_difference(wanted, index)
    if change or index.version != wanted.version:
        added = ", ".join(change.added) or "none"
        yield Step(wanted, "add fields", f"{index.name}, version {index.version} → {wanted.version}: {added}")
    if settings:
        changes = ", ".join(
            f"{name} {index.settings.get(name, 'unset')} → {value or 'unset'}" for name, value in settings.items()
        )
        yield Step(wanted, "set settings", f"{index.name}: {changes}")
    if options := narrowing_options(wanted, index):
        yield Step(
            wanted, "set alias", f"{wanted.alias} without {', '.join(options)}, which hide documents from readers"
        )


def _carry_out(elasticsearch: Elasticsearch, step: Step) -> None:
    wanted = step.index
    real = look(elasticsearch, wanted)
    match step.what:
        case "put template":
            put_template(elasticsearch, wanted)
        case "create index":
            name = next_name(wanted, real)
            elasticsearch.indices.create(index=name, aliases={wanted.alias: {"is_write_index": True}})
        case "add fields":
            properties = wanted.mappings["properties"]
            meta = real.behind[0].mappings.get("_meta", {}) | wanted.mappings["_meta"]
            elasticsearch.indices.put_mapping(index=real.behind[0].name, properties=properties, meta=meta)
        case "set settings":
            settings, _ = settings_difference(wanted, real.behind[0])
            elasticsearch.indices.put_settings(index=real.behind[0].name, settings=settings)
        case "set alias":
            index, alias = real.behind[0].name, wanted.alias
            elasticsearch.indices.update_aliases(
                actions=[
                    {"remove": {"index": index, "alias": alias, "must_exist": True}},
                    {"add": {"index": index, "alias": alias, "is_write_index": True}},
                ]
            )
