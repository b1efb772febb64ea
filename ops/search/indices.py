"""Differences between the declared indices, in the mappings' files, and those that Elasticsearch has."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

import connectors
from connectors.elasticsearch.documents import SEARCH_INDICES, SearchIndex

FOLDER = Path(str(connectors.__file__)).parent / "elasticsearch" / "mappings"
"""One index template a file, named after its alias."""

FILLED_TO = "filled_to"
"""In a mapping's `_meta`: by partition, how far an index has the topic for sure, until its rebuild has ended."""

_FIXED_SETTINGS = (
    "index.number_of_shards",
    "index.analysis.",
    "index.sort.",
    "index.codec",
    "index.routing",
    "index.mapping.ignore_malformed",
    "index.mapping.coerce",
)
"""Those that an index keeps for its life."""

_MEDDLING_SETTINGS = (
    "index.default_pipeline",
    "index.final_pipeline",
    "index.lifecycle.name",
    "index.mapping.ignore_malformed",
    "index.mapping.coerce",
)
"""Those that nobody declared, and by which documents are changed, cut or deleted."""

_HARMLESS = {"_none", "false"}

_NARROWING_OPTIONS = ("filter", "index_routing", "search_routing")
"""Those of an alias by which readers don't see all of its index."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """An index as its file has it."""

    index: SearchIndex
    template: Json
    """As Elasticsearch takes an index template."""

    @property
    def alias(self) -> str:
        """What everybody calls it."""
        return self.index.alias

    @property
    def template_name(self) -> str:
        """What Elasticsearch calls the template."""
        return f"millrace-{self.alias}"

    @property
    def mappings(self) -> Json:
        """Every field, and what can be asked of it."""
        found: Json = self.template["template"]["mappings"]
        return found

    @property
    def settings(self) -> Mapping[str, str]:
        """By their full names."""
        found: Mapping[str, str] = self.template["template"]["settings"]
        return found

    @property
    def version(self) -> int:
        """Of the mapping."""
        return int(self.mappings["_meta"]["version"])

    @cached_property
    def fields(self) -> Mapping[str, Json]:
        """What each field is, by its path; the empty path is the document itself."""
        return dict(_fields("", self.mappings))


@dataclass(frozen=True)
class RealIndex:
    """An index as Elasticsearch has it."""

    name: str
    mappings: Json
    settings: Mapping[str, str]
    aliases: Mapping[str, Json]
    """Each with its options."""

    @property
    def version(self) -> int:
        """Of its mapping; 0 if it says none."""
        return int(self.mappings.get("_meta", {}).get("version", 0))

    @property
    def filled_to(self) -> Mapping[str, int] | None:
        """Where to go on reading the topic if its rebuild was interrupted; else None."""
        found: Mapping[str, int] | None = self.mappings.get("_meta", {}).get(FILLED_TO)
        return found

    @cached_property
    def fields(self) -> Mapping[str, Json]:
        """As `Declared.fields`."""
        return dict(_fields("", self.mappings))


@dataclass(frozen=True)
class Rival:
    """A template of somebody else's that a new index of ours would be made by."""

    name: str
    priority: int


@dataclass(frozen=True)
class Real:
    """What there is of an alias."""

    template: Json | None
    """None if there is none."""
    behind: tuple[RealIndex, ...]
    """The indices that the alias stands for: one, or something is wrong."""
    others: tuple[RealIndex, ...]
    """Of the alias's names, but not behind it: what a rebuild left, or fills."""
    strangers: tuple[str, ...] = ()
    """Behind the alias, but not of its names: somebody else's."""
    is_index: bool = False
    """Whether there is an index where the alias should be."""
    rivals: tuple[Rival, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What would have to change in an index's mapping to make it the declared one; each in words."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    """What Elasticsearch can't do to documents that are there."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)


def declared(folder: Path = FOLDER) -> tuple[Declared, ...]:
    """Every index, in the order of `SEARCH_INDICES`."""
    return tuple(
        Declared(index, json.loads((folder / f"{index.alias}.json").read_text(encoding="utf-8")))
        for index in SEARCH_INDICES
    )


def look(elasticsearch: Elasticsearch, wanted: Declared) -> Real:
    """What Elasticsearch has of an alias."""
    found = elasticsearch.indices.get(index=f"{wanted.alias}-v*", flat_settings=True).body
    ours = re.compile(rf"{re.escape(wanted.alias)}-v\d+(-\d+)?")
    here = {
        name: RealIndex(name, each["mappings"], each["settings"], each["aliases"])
        for name, each in sorted(found.items())
        if ours.fullmatch(name)
    }
    behind = _behind(elasticsearch, wanted.alias)
    real = Real(
        template=_template(elasticsearch, wanted.template_name),
        behind=tuple(index for name, index in here.items() if name in behind),
        strangers=tuple(sorted(behind - here.keys())),
        others=tuple(index for name, index in here.items() if name not in behind),
        is_index=bool(elasticsearch.indices.exists(index=wanted.alias)) and not behind,
    )
    return replace(real, rivals=tuple(_rivals(elasticsearch, wanted, next_name(wanted, real))))


def figures(elasticsearch: Elasticsearch, index: str, metric: str) -> dict[str, int]:
    """Of an index without its copies; none as long as it is being made."""
    found: dict[str, int] = elasticsearch.indices.stats(index=index, metric=metric)["_all"]["primaries"].get(metric, {})
    return found


def difference(wanted: Declared, real: RealIndex) -> Difference:
    """Of the mappings' fields, by path."""
    changed = [
        f"{path or 'the document'}: {_in_words(is_now)} → {_in_words(wanted.fields[path])}"
        for path, is_now in real.fields.items()
        if path in wanted.fields and wanted.fields[path] != is_now
    ]
    gone = [f"{path} is no longer declared" for path in real.fields if path not in wanted.fields]
    added = [f"{path} ({_in_words(field)})" for path, field in wanted.fields.items() if path not in real.fields]
    return Difference(tuple(added), (*changed, *gone))


def settings_difference(wanted: Declared, real: RealIndex) -> tuple[dict[str, str | None], list[str]]:
    """Settings that are to be set, None to unset them, and those that an index keeps for its life, in words."""
    differing: dict[str, str | None] = {
        name: value for name, value in wanted.settings.items() if real.settings.get(name) != value
    }
    differing |= {
        name: None
        for name, value in real.settings.items()
        if name in _MEDDLING_SETTINGS and name not in wanted.settings and value not in _HARMLESS
    }
    fixed = [
        f"{name}: {real.settings.get(name, 'unset')} → {value or 'unset'}"
        for name, value in differing.items()
        if name.startswith(_FIXED_SETTINGS)
    ]
    return {name: value for name, value in differing.items() if not name.startswith(_FIXED_SETTINGS)}, fixed


def narrowing_options(wanted: Declared, real: RealIndex) -> list[str]:
    """Options of the alias by which readers don't see all of the index, in words."""
    options = real.aliases.get(wanted.alias, {})
    return [f"{name} {json.dumps(options[name])}" for name in _NARROWING_OPTIONS if name in options]


def write_blocks(real: RealIndex) -> list[str]:
    """Settings because of which the index takes no documents, in words."""
    return [
        f"{name} is {value}"
        for name, value in real.settings.items()
        if name.startswith("index.blocks.") and value == "true"
    ]


def same_template(wanted: Declared, real: Json | None) -> bool:
    """Whether the template is the declared one; Elasticsearch adds what wasn't said."""
    if real is None or real.get("composed_of") or "data_stream" in real:
        return False
    return {name: real.get(name) for name in wanted.template} == wanted.template


def next_name(wanted: Declared, real: Real) -> str:
    """For a new index: its alias and the mapping's version, and a number if there was one already."""
    taken = {index.name for index in (*real.behind, *real.others)}
    name, number = f"{wanted.alias}-v{wanted.version}", 1
    while name in taken:
        number += 1
        name = f"{wanted.alias}-v{wanted.version}-{number}"
    return name


def _behind(elasticsearch: Elasticsearch, alias: str) -> set[str]:
    try:
        return set(elasticsearch.indices.get_alias(name=alias).body)
    except NotFoundError:
        return set()


def _rivals(elasticsearch: Elasticsearch, wanted: Declared, index: str) -> Iterator[Rival]:
    """Of all templates whose names fit, Elasticsearch takes the one with the greatest priority, and that alone."""
    for each in elasticsearch.indices.get_index_template().body["index_templates"]:
        template = each["index_template"]
        priority = int(template.get("priority", 0))
        fits = any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), index) for p in template["index_patterns"])
        if each["name"] != wanted.template_name and fits and priority >= wanted.template["priority"]:
            yield Rival(each["name"], priority)


def _template(elasticsearch: Elasticsearch, name: str) -> Json | None:
    try:
        found = elasticsearch.indices.get_index_template(name=name, flat_settings=True).body["index_templates"]
    except NotFoundError:
        return None
    template: Json = found[0]["index_template"]
    return template


def _fields(path: str, node: Json) -> Iterator[tuple[str, Json]]:
    """A field, or the document, and what is inside it."""
    own = {key: value for key, value in node.items() if key not in ("properties", "_meta")}
    yield path, own or {"type": "object"}
    for name, inner in node.get("properties", {}).items():
        yield from _fields(f"{path}.{name}" if path else name, inner)


def _in_words(field: Json) -> str:
    """A field's type, and what else is said of it."""
    rest = [f"{name} {json.dumps(value)}" for name, value in field.items() if name != "type"]
    return ", ".join([*([str(field["type"])] if "type" in field else []), *rest])
