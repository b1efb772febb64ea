"""How is an event's JSON Schema made? Generated from its struct: closed, described, always the same text."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from events.base import Event

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that the registry's compatibility checker understands."""

_WORDS = {"$schema", "title", "description", "default"}
_BY_NAME = {"properties", "definitions"}
"""Keywords under which names stand that aren't keywords."""


def schema(event: type[Event]) -> dict[str, Any]:
    """JSON Schema of one event on the wire.

    Every object with declared properties is closed (`additionalProperties: false`), since the registry takes a new
    optional field for a compatible change only then. A field's description is its docstring and that of its type.
    """
    structs = {struct.__name__: struct for struct in _structs(event)}
    _, generated = msgspec.json.schema_components([event], ref_template="#/definitions/{name}")
    definitions = {name: _finished(generated[name], structs[name]) for name in sorted(generated)}
    root = definitions.pop(event.__name__)
    return {"$schema": DIALECT} | root | ({"definitions": definitions} if definitions else {})


def schema_text(document: Mapping[str, Any]) -> str:
    """A schema as it is kept in `events/released`: one keyword a line, so that a diff shows what changed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rules_text(event: type[Event]) -> str:
    """All that its schema asks of a record, in one line and without a word of explanation: what a reader enforces."""
    return json.dumps(_without_words(schema(event)), separators=(",", ":"))


@cache
def field_docstrings(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """The strings that stand under a struct's fields in its source, inherited ones included, by field name."""
    inherited = struct.__mro__[1]
    found = dict(field_docstrings(inherited)) if inherited is not msgspec.Struct else {}
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                found[name] = inspect.cleandoc(docstring)
    return found


def _without_words(node: Any) -> Any:
    """A schema, or the list of schemas or the flag that stands in the place of one."""
    match node:
        case dict():
            return {
                keyword: {name: _without_words(each) for name, each in value.items()}
                if keyword in _BY_NAME
                else _without_words(value)
                for keyword, value in node.items()
                if keyword not in _WORDS
            }
        case list():
            return [_without_words(each) for each in node]
    return node


def _structs(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
        for hint in get_type_hints(annotation).values():
            yield from _structs(hint)
    for argument in get_args(annotation):
        yield from _structs(argument)


def _finished(generated: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    docstrings = field_docstrings(struct)
    properties = {
        name: _described(property_, docstrings.get(name, "")) for name, property_ in generated["properties"].items()
    }
    description = {"description": inspect.cleandoc(generated["description"])} if "description" in generated else {}
    return generated | description | {"additionalProperties": False, "properties": properties}


def _described(property_: dict[str, Any], docstring: str) -> dict[str, Any]:
    of_type = property_.pop("description", "")
    sentence = f"{of_type[:1].upper()}{of_type[1:]}." if of_type and docstring else of_type
    description = " ".join(filter(None, (docstring, sentence)))
    return ({"description": description} if description else {}) | property_
