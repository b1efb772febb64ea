"""Masks what must not be shown of a record (card numbers, cards, addresses, phones, secrets), and escapes what could
deceive a terminal.

The result is for display: a masked record can't be replayed. Names of persons are not masked.
"""

import json
import re
from typing import Any

MASK = "•••"
LONGEST_SHOWN = 20_000
"""Maximum number of characters of a payload that is shown."""

_LAST = 4
_MOST_DIGITS = 19
_GLUE = r"(?:[ .\-]|[^\w\s!-~])"
"""Characters that may separate the digits of a card number, invisible ones included."""
_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GLUE}{{0,2}}\d){{11,}}")
_GROUPS = re.compile(r"\d+")
# Each pattern starts where a run of its characters starts and never backtracks, so that long texts take no longer.
_EMAIL = re.compile(r"(?<![\w.!#$%&*+/?^`{|}~-])[\w.!#$%&*+/?^`{|}~-]++@[\w-]++(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)[1-9][\d ()/.\-]{6,18}\d(?!\d)")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest|Token|ApiKey)\s+[\w.~+/=:-]{4,}", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]++\.[\w-]+(?:\.[\w-]*)?")
_USER_IN_URL = re.compile(r"(://[^\s/:@]+:)[^\s/@]+@")
_FIELD = re.compile(
    r"""(["'\\]{0,4})(?<![\w.-])([A-Za-z][\w.-]*+)\1(\s*[:=]\s*)"""
    r"""("(?:[^"\\]|\\.)*"?|'[^']*'?|\\{1,8}["'][^"'\\]*(?:\\{1,8}["'])?|[^\s,;&}\])"']+)"""
)
_NULL_OR_FLAG = re.compile(r"null|true|false|None|True|False")

_SECRETS = {"password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "authorisation", "cookie"}
_SECRETS |= {"credential", "credentials", "cvv", "cvv2", "cvc", "cvc2", "pin", "iban", "apikey", "jwt"}
_SECRET_ENDS = ("api_key", "private_key", "access_key", "signing_key")
_PERSONAL = {"email", "mail", "phone", "mobile", "telephone", "fax"}
_CARD_ENDS = ("card", "card_id", "card_number", "card_no", "cardnumber", "cardid", "pan")


def shown(text: str) -> str:
    """Format a text from a record in one line: masked, and without characters that move the cursor or reverse the
    text."""
    return harmless(masked(text))


def shown_bytes(data: bytes | None) -> str:
    """Format a key or a header's value in one line."""
    return "none" if data is None else shown(_text(data))


def shown_field(name: str, data: bytes | str | None) -> str:
    """Format a header's value, or a key or text that is the field of that name."""
    if data is None:
        return "none"
    return harmless(str(_masked_value(name, _text(data) if isinstance(data, bytes) else data)))


def shown_payload(payload: bytes | None) -> str:
    """Format a record's value: JSON with one field per line, anything else as it is, both masked and harmless."""
    if payload is None:
        return "none"
    document = _document(payload)
    if document is None:
        text = masked(_text(payload))
        lines = [text]
    else:
        lines = json.dumps(_masked_document(document), indent=2, ensure_ascii=False).split("\n")
    text = "\n".join(harmless(line) for line in lines)
    rest = len(text) - LONGEST_SHOWN
    return text if rest <= 0 else f"{text[:LONGEST_SHOWN]}\n… {rest:,} characters more; export it to see all"


def harmless(text: str) -> str:
    r"""Escape every character that isn't visible as itself: controls, bidi marks, separators, surrogates."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def masked(text: str) -> str:
    """Mask what must not be shown in a text, whether or not it is complete JSON."""
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _WEB_TOKEN.sub(MASK, text)
    text = _USER_IN_URL.sub(rf"\1{MASK}@", text)
    text = _FIELD.sub(_masked_field, text)
    text = _EMAIL.sub(MASK, text)
    text = _DIGITS.sub(_masked_digits, text)
    return _PHONE.sub(MASK, text)


def is_card_number(digits: str) -> bool:
    """Return whether this could be a card's number: its length, its first digits, and Luhn's check digit."""
    if not 12 <= len(digits) <= _MOST_DIGITS:
        return False
    first = int(digits[0])
    if first not in {3, 4, 5, 6} and not (first == 2 and len(digits) == 16):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    single = [int(digit) for digit in digits[-1::-2]]
    return sum(single + [value - 9 if value > 9 else value for value in doubled]) % 10 == 0


def _document(payload: bytes) -> Any | None:
    """Parse a payload; None if it is no JSON object or array, or has a repeated name, so that a part would be
    hidden."""
    try:
        document = json.loads(payload.decode(), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, (dict, list)) else None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _escape(character: str) -> str:
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that isn't UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _masked_document(document: Any) -> Any:
    match document:
        case dict():
            return {masked(name): _masked_value(name, value) for name, value in document.items()}
        case list():
            return [_masked_document(each) for each in document]
        case str():
            return masked(document)
        case bool() | None:
            return document
        case int() | float():
            text = str(int(document)) if isinstance(document, float) and document.is_integer() else str(document)
            return document if masked(text) == text else masked(text)
    return document


def _masked_value(name: str, value: Any) -> Any:
    kind = _kind(name)
    if value is None or isinstance(value, bool) or kind == "":
        return _masked_document(value)
    if kind == "card" and isinstance(value, (str, int)):
        return _last_digits(str(value))
    if kind == "card" and isinstance(value, (dict, list)):
        return _masked_document(value)
    return MASK


def _masked_field(match: re.Match[str]) -> str:
    quote, name, between, value = match.groups()
    kind = _kind(name)
    if kind == "" or _NULL_OR_FLAG.fullmatch(value):
        return match[0]
    marks = value[0] if value[0] in "\"'" else ""
    inner = value.strip(marks) if marks else value
    end = marks if marks and len(value) > 1 and value.endswith(marks) else ""
    hidden = _last_digits(inner) if kind == "card" else MASK
    return f"{quote}{name}{quote}{between}{marks}{hidden}{end}"


def _kind(name: str) -> str:
    """Return what a field of this name holds: `secret`, `personal`, `card`, or an empty string for none of these."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_").replace(".", "_")
    words = set(snake.split("_"))
    if words & _SECRETS or snake.endswith(_SECRET_ENDS):
        return "secret"
    if snake in _CARD_ENDS or snake.endswith(tuple(f"_{end}" for end in _CARD_ENDS)):
        return "card"
    return "personal" if words & _PERSONAL else ""


def _last_digits(card: str) -> str:
    """Mask a card except for enough digits to distinguish cards."""
    return MASK + (card[-_LAST:] if len(card) >= 2 * _LAST else "")


def _masked_digits(match: re.Match[str]) -> str:
    """Mask card numbers among groups of digits; other digits may stand beside a card number."""
    text, groups = match[0], list(_GROUPS.finditer(match[0]))
    shown, position, first = [], 0, 0
    while first < len(groups):
        last = _card_from(groups, first)
        if last is not None:
            shown += [
                text[position : groups[first].start()],
                _last_digits("".join(each[0] for each in groups[first : last + 1])),
            ]
            position, first = groups[last].end(), last
        first += 1
    return "".join(shown) + text[position:]


def _card_from(groups: list[re.Match[str]], first: int) -> int | None:
    """Return the last group of the longest card number that begins with the group `first`; None if there is none."""
    digits, found = "", None
    for number in range(first, len(groups)):
        digits += groups[number][0]
        if len(digits) > _MOST_DIGITS:
            break
        if is_card_number(digits):
            found = number
    return found


def kind_of_reason(reason: str) -> str:
    """Return a reason with its values replaced, so that reasons that differ only in values are equal."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"(?:…|\.\.\.)?', '"…"', reason)
    text = re.sub(r"'(?:[^'\\]|\\.)*'", "'…'", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "…", text)
    text = re.sub(r"(?<![\w^$\\{\[-])(?=(?:[\w-]*\d){3})(?=[\w-]*[A-Za-z])[\w-]{6,}", "…", text)
    return re.sub(r"(?<![\w{,^])(?<![A-Za-z]-)-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w}])", "N", text)
