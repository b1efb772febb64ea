"""Elements of a page or a drawing: plain values that become markup here, or JSON for the browser's script.

Texts and attributes are escaped in one place, so that no record can bring markup of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

VOID = ("link", "meta")
"""Elements of HTML that have no end."""


@dataclass(frozen=True)
class Element:
    """An element with its attributes in order, and what is in it."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: "tuple[Element | str, ...]" = ()


Content = Element | str | None | Iterable["Content"]
"""What can be put into an element: None is nothing, and a list is all that is in it."""


def make(tag: str, *content: Content, **attributes: str | float | None) -> Element:
    """Return an element; `_` in an attribute's name is `-`, except that `class_` is `class`; None leaves one out."""
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not None)
    return Element(tag, tuple((name, written(value)) for name, value in named), tuple(_flat(content)))


def written(value: str | float) -> str:
    """Return a text, or a number with at most one decimal."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def html(element: Element | str) -> str:
    """Return an element as HTML."""
    if isinstance(element, str):
        return escape(element)
    start = _start(element)
    if element.tag in VOID:
        return f"<{start}>"
    return f"<{start}>{''.join(map(html, element.children))}</{element.tag}>"


def xml(element: Element | str) -> str:
    """Return an element as XML: one that is empty needs no end."""
    if isinstance(element, str):
        return escape(element)
    if not element.children:
        return f"<{_start(element)}/>"
    return f"<{_start(element)}>{''.join(map(xml, element.children))}</{element.tag}>"


def data(element: Element | str) -> Any:
    """Return an element as JSON has it: a text, or a list of tag, attributes and children."""
    if isinstance(element, str):
        return element
    return [element.tag, dict(element.attributes), [data(child) for child in element.children]]


def _start(element: Element) -> str:
    attributes = "".join(f" {name}={quoteattr(value, {chr(34): '&quot;'})}" for name, value in element.attributes)
    return f"{element.tag}{attributes}"


def _flat(content: Iterable[Content]) -> "Iterable[Element | str]":
    for each in content:
        if isinstance(each, Element):
            yield each
        elif isinstance(each, str):
            if each:
                yield each
        elif each is not None:
            yield from _flat(each)
