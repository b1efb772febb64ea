"""Shows of records only what their events declare as neither personal nor secret, and escapes what could deceive a
terminal.

The result is for display: a masked record can't be replayed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import inspect

from connectors.kafka.topics import TOPICS

MASK = "•••"
LONGEST_SHOWN = 20_000
"""Maximum number of characters of a payload that is shown."""

# Each pattern starts where a run of its characters starts and never backtracks far, so that long texts take no longer.
_QUOTED = re.compile(
    r'"(?:[^"\\]|\\.)*+(?:"(?:\s*:\s*[-+.\deE]+)?|\\?\Z)'  # also a name in JSON with its number
    r"|(?<!\w)b?'.*?(?:'(?!\w)|\Z)",
    re.DOTALL,
)
_BARE = re.compile(r"^(\S{1,200}: )[^\s\"'].{0,500}?(?= (?:is|isn't|has) (?:not|none|more|less|out)\b)", re.DOTALL)
"""A number or another text that the JVM puts between the place of a value and what is wrong with it."""
_SCHEME = r"(?i:\b(?:bearer|basic|digest|token|apikey)\s+)"
_GLUE = r"(?:[ .-]|[^\w\s!-~]){0,2}"
_NAME = (
    r"(?i:(?:(?<![A-Z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:passw(?:or)?d|pwd|passphrase|secret|token|authori[sz]ation|cookie"
    r"|credentials?|cvv2?|cvc2?|pin|iban|jwt|pan|e?mail|phone|mobile|telephone|fax|card(?:_?id|_?no|_?number)?)"
    r"|(?:api|private|access|signing)[_.-]?key)(?![a-z])"
)
_VALUE = r"""(?:"(?:[^"\\]|\\.)*+"?|'[^']*'?|[^\s,;&}\])]+)"""
_SECRETS = (
    (re.compile(rf"{_SCHEME}[\w.~+/=:-]{{4,}}"), MASK),
    (re.compile(rf"""({_NAME}[\w.-]{{0,200}}+["'\\]*\s*[:=]\s*)(?:{_SCHEME})?\\*{_VALUE}"""), rf"\1{MASK}"),
    (re.compile(r"://[^\s/@]++@"), f"://{MASK}@"),  # a login
    (re.compile(r"(?<![^\s@])[^\s@]++@[\w-]+\.[\w.-]+"), MASK),  # an e-mail address
    (re.compile(r"eyJ[\w.-]+"), MASK),  # a web token
    (re.compile(rf"(?<!\d)(?:[3-6]|2(?=(?:{_GLUE}\d){{15}}))(?:{_GLUE}\d){{11,}}"), MASK),  # a card's number
    (re.compile(r"(?<![\w+])(?:\+|00)[1-9][\d ()/.-]{6,}"), MASK),  # a phone number
)
"""What is masked in every text that is shown, since a producer may put a secret where it doesn't belong."""


def shown(text: str) -> str:
    """Format a text in one line, without secrets and without characters that move the cursor or reverse the text."""
    return harmless(_masked(text))


def shown_reason(reason: str) -> str:
    """Format the reason of a dead letter, or another text that quotes a record, without the values that it quotes."""
    return shown(_BARE.sub(r"\1…", _QUOTED.sub(_cut, reason)))


def _cut(quoted: re.Match[str]) -> str:
    mark = quoted[0].removeprefix("b")[0]
    return f"{mark}…{mark}"


def kind_of_reason(reason: str) -> str:
    """Return a reason as it is shown with its numbers and ids replaced, so that reasons of one kind are equal."""
    text = re.sub(r"(?<![\w^$\\{\[-])(?=(?:[\w-]*\d){3})(?=[\w-]*[A-Za-z])[\w-]{6,}", "…", shown_reason(reason))
    return re.sub(r"(?<![\w{,^])(?<![A-Za-z]-)-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w}])", "N", text)


def shown_key(topic: str, key: bytes | None) -> str:
    """Format a record's key as the field that its topic is keyed by."""
    field = next((each.key for each in TOPICS if each.name == topic), "")
    return "none" if key is None else shown_field(topic, field, key.decode("utf-8", "surrogateescape"))


def shown_field(topic: str, name: str, value: Any) -> str:
    """Format the value that a field of the topic's event has, in one line."""
    return harmless(str(_shown(value, _fields_of(topic).get(name))))


def shown_payload(topic: str, payload: bytes | None) -> str:
    """Format a record's value with one field per line if it is a JSON object, otherwise by its length and hash."""
    if payload is None:
        return "none"
    document = _shown_document(topic, payload)
    if document is None:
        # The whole hash of a short text, such as a card's number, would reveal it.
        digest = hashlib.sha256(payload).hexdigest()[:8]
        return f"{len(payload):,} bytes that are no JSON object, SHA-256 {digest}…; export it to see them"
    lines = json.dumps(document, indent=2, ensure_ascii=False).split("\n")
    text = "\n".join(map(harmless, lines))
    rest = len(text) - LONGEST_SHOWN
    return text if rest <= 0 else f"{text[:LONGEST_SHOWN]}\n… {rest:,} characters more; export it to see all"


def harmless(text: str) -> str:
    r"""Escape every character that isn't visible as itself: controls, bidi marks, separators, surrogates."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that isn't UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _masked(text: str) -> str:
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _shown_document(topic: str, payload: bytes) -> dict[str, Any] | None:
    """Return what is shown of a payload; None if it is no JSON object, or has a repeated name, so that a part would be
    hidden."""
    try:
        document = json.loads(payload.decode(), object_pairs_hook=_without_repeats)
        return _shown_fields(document, _fields_of(topic)) if isinstance(document, dict) else None
    except (ValueError, RecursionError):
        return None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


@cache
def _fields_of(topic: str) -> dict[str, inspect.Type]:
    """Return the types of the fields of the topic's event by name; none for a topic that isn't declared."""
    return next((_fields(inspect.type_info(each.event)) for each in TOPICS if each.name == topic), {})


def _fields(struct: Any) -> dict[str, inspect.Type]:
    return {field.encode_name: field.type for field in struct.fields}


def _shown_fields(document: dict[str, Any], declared: dict[str, inspect.Type]) -> dict[str, Any]:
    return {_masked(name): _shown(value, declared.get(name)) for name, value in document.items()}


def _shown(value: Any, declared: inspect.Type | None) -> Any:
    """Return what is shown of a value; its length if it is masked, or isn't declared."""
    match declared, value:
        case inspect.Metadata(extra={"masked": True} as marks), _:
            return _hidden(value, marks)
        case ((inspect.Metadata(type=inner) | inspect.UnionType(types=(inner, inspect.NoneType()))), _):
            return _shown(value, inner)
        case inspect.StructType(), dict():
            return _shown_fields(value, _fields(declared))
        case inspect.VarTupleType(item_type=item), list():
            return [_shown(each, item) for each in value]
        case inspect.StrType() | inspect.LiteralType() | inspect.IntType() | inspect.FloatType() | inspect.BoolType(), (
            str() | int() | float()
        ):
            text = f"{value:.0f}" if isinstance(value, float) else str(value)
            masked = _masked(text)
            return value if masked == text else masked
    return _hidden(value)


def _hidden(value: Any, marks: Mapping[str, Any] | None = None) -> str | None:
    text = value if isinstance(value, str) else json.dumps(value)
    end = (marks or {}).get("shown_end", 0)
    if value is None:
        return None
    if isinstance(value, (str, int)) and 0 < 2 * end <= len(text):
        return MASK + text[-end:]
    return f"{MASK} ({len(text):,} characters)"
