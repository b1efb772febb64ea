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
"""Folder with one index template per file, named after its alias."""

FILLED_TO = "filled_to"
"""Key in a mapping's `_meta`: by partition, the offset up to which the index surely has the topic, until its rebuild
has ended."""

_FIXED_SETTINGS = (
    "index.number_of_shards",
    "index.analysis.",
    "index.sort.",
    "index.codec",
    "index.routing",
    "index.mapping.ignore_malformed",
    "index.mapping.coerce",
)
"""Settings that can't be changed after an index was created."""

_CHANGING_SETTINGS = (
    "index.default_pipeline",
    "index.final_pipeline",
    "index.lifecycle.name",
    "index.mapping.ignore_malformed",
    "index.mapping.coerce",
)
"""Settings that change, cut or delete documents unless they are declared."""

_HARMLESS = {"_none", "false"}

_NARROWING_OPTIONS = ("filter", "index_routing", "search_routing")
"""Options of an alias that hide a part of its index from readers."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """An index as its file declares it."""

    index: SearchIndex
    template: Json
    """Index template in the form that Elasticsearch accepts."""

    @property
    def alias(self) -> str:
        """Name under which the index is read and written."""
        return self.index.alias

    @property
    def template_name(self) -> str:
        """Name of the template in Elasticsearch."""
        return f"millrace-{self.alias}"

    @property
    def mappings(self) -> Json:
        """Fields with their types and options."""
        found: Json = self.template["template"]["mappings"]
        return found

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings by their full names."""
        found: Mapping[str, str] = self.template["template"]["settings"]
        return found

    @property
    def version(self) -> int:
        """Version of the mapping."""
        return int(self.mappings["_meta"]["version"])

    @cached_property
    def fields(self) -> Mapping[str, Json]:
        """Definition of each field, by its path; the empty path is the document itself."""
        return dict(_fields("", self.mappings))


@dataclass(frozen=True)
class RealIndex:
    """An index as it is in Elasticsearch."""

    name: str
    mappings: Json
    settings: Mapping[str, str]
    aliases: Mapping[str, Json]
    """Aliases with their options."""

    @property
    def version(self) -> int:
        """Version of its mapping; 0 if the mapping has none."""
        return int(self.mappings.get("_meta", {}).get("version", 0))

    @property
    def filled_to(self) -> Mapping[str, int] | None:
        """Offset by partition from which to read the topic if its rebuild was interrupted; otherwise None."""
        found: Mapping[str, int] | None = self.mappings.get("_meta", {}).get(FILLED_TO)
        return found

    @cached_property
    def fields(self) -> Mapping[str, Json]:
        """Definition of each field, as in `Declared.fields`."""
        return dict(_fields("", self.mappings))


@dataclass(frozen=True)
class ForeignTemplate:
    """A foreign template that would apply to a new index of ours."""

    name: str
    priority: int


@dataclass(frozen=True)
class Real:
    """State of Elasticsearch for one alias."""

    template: Json | None
    """Index template; None if there is none."""
    behind: tuple[RealIndex, ...]
    """Indices that the alias stands for: exactly one, unless something is wrong."""
    others: tuple[RealIndex, ...]
    """Indices with a name of the alias but not behind it: left by a rebuild, or being filled by one."""
    foreign_indices: tuple[str, ...] = ()
    """Foreign indices behind the alias, with other names."""
    is_index: bool = False
    """Whether there is an index where the alias should be."""
    foreign_templates: tuple[ForeignTemplate, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Changes that would turn an index's mapping into the declared one; each in words."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    """Changes that Elasticsearch can't apply to existing documents."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)


def declared(folder: Path = FOLDER) -> tuple[Declared, ...]:
    """Return every declared index, in the order of `SEARCH_INDICES`."""
    return tuple(
        Declared(index, json.loads((folder / f"{index.alias}.json").read_text(encoding="utf-8")))
        for index in SEARCH_INDICES
    )


def look(elasticsearch: Elasticsearch, wanted: Declared) -> Real:
    """Read what Elasticsearch has of an alias."""
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
        foreign_indices=tuple(sorted(behind - here.keys())),
        others=tuple(index for name, index in here.items() if name not in behind),
        is_index=bool(elasticsearch.indices.exists(index=wanted.alias)) and not behind,
    )
    return replace(real, foreign_templates=tuple(_foreign_templates(elasticsearch, wanted, next_name(wanted, real))))


def figures(elasticsearch: Elasticsearch, index: str, metric: str) -> dict[str, int]:
    """Return statistics of an index without its replicas; none while it is being created."""
    found: dict[str, int] = elasticsearch.indices.stats(index=index, metric=metric)["_all"]["primaries"].get(metric, {})
    return found


def difference(wanted: Declared, real: RealIndex) -> Difference:
    """Compare the mappings' fields, by path."""
    changed = [
        f"{path or 'the document'}: {_in_words(is_now)} → {_in_words(wanted.fields[path])}"
        for path, is_now in real.fields.items()
        if path in wanted.fields and wanted.fields[path] != is_now
    ]
    undeclared = [f"{path} is no longer declared" for path in real.fields if path not in wanted.fields]
    added = [f"{path} ({_in_words(field)})" for path, field in wanted.fields.items() if path not in real.fields]
    return Difference(tuple(added), (*changed, *undeclared))


def settings_difference(wanted: Declared, real: RealIndex) -> tuple[dict[str, str | None], list[str]]:
    """Return settings to change (None to unset) and, in words, differing settings that can't be changed."""
    differing: dict[str, str | None] = {
        name: value for name, value in wanted.settings.items() if real.settings.get(name) != value
    }
    differing |= {
        name: None
        for name, value in real.settings.items()
        if name in _CHANGING_SETTINGS and name not in wanted.settings and value not in _HARMLESS
    }
    fixed = [
        f"{name}: {real.settings.get(name, 'unset')} → {value or 'unset'}"
        for name, value in differing.items()
        if name.startswith(_FIXED_SETTINGS)
    ]
    return {name: value for name, value in differing.items() if not name.startswith(_FIXED_SETTINGS)}, fixed


def narrowing_options(wanted: Declared, real: RealIndex) -> list[str]:
    """Return the alias's options that hide a part of the index from readers, in words."""
    options = real.aliases.get(wanted.alias, {})
    return [f"{name} {json.dumps(options[name])}" for name in _NARROWING_OPTIONS if name in options]


def write_blocks(real: RealIndex) -> list[str]:
    """Return settings that prevent the index from taking documents, in words."""
    return [
        f"{name} is {value}"
        for name, value in real.settings.items()
        if name.startswith("index.blocks.") and value == "true"
    ]


def same_template(wanted: Declared, real: Json | None) -> bool:
    """Return whether the template is the declared one; values that Elasticsearch adds don't matter."""
    if real is None or real.get("composed_of") or "data_stream" in real:
        return False
    return {name: real.get(name) for name in wanted.template} == wanted.template


def next_name(wanted: Declared, real: Real) -> str:
    """Return the name of a new index: its alias, the mapping's version, and a number if that name is taken."""
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


def _foreign_templates(elasticsearch: Elasticsearch, wanted: Declared, index: str) -> Iterator[ForeignTemplate]:
    """Yield the foreign templates that win: Elasticsearch applies only the matching one with the greatest priority."""
    for each in elasticsearch.indices.get_index_template().body["index_templates"]:
        template = each["index_template"]
        priority = int(template.get("priority", 0))
        fits = any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), index) for p in template["index_patterns"])
        if each["name"] != wanted.template_name and fits and priority >= wanted.template["priority"]:
            yield ForeignTemplate(each["name"], priority)


def _template(elasticsearch: Elasticsearch, name: str) -> Json | None:
    try:
        found = elasticsearch.indices.get_index_template(name=name, flat_settings=True).body["index_templates"]
    except NotFoundError:
        return None
    template: Json = found[0]["index_template"]
    return template


def _fields(path: str, node: Json) -> Iterator[tuple[str, Json]]:
    """Yield a field, or the document, and all fields inside it."""
    own = {key: value for key, value in node.items() if key not in ("properties", "_meta")}
    yield path, own or {"type": "object"}
    for name, inner in node.get("properties", {}).items():
        yield from _fields(f"{path}.{name}" if path else name, inner)


def _in_words(field: Json) -> str:
    """Describe a field by its type and its other options."""
    rest = [f"{name} {json.dumps(value)}" for name, value in field.items() if name != "type"]
    return ", ".join([*([str(field["type"])] if "type" in field else []), *rest])
