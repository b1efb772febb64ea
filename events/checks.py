"""Is a record's value what its event says? By the type's constraints and by its JSON Schema."""

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from events.base import Event
from events.schemas import schema


class NotTheEventError(ValueError):
    """A value isn't what its event's type or its schema says; the text is what is wrong."""


def check(value: bytes, event_type: type[Event]) -> None:
    """Hold a record's value against its event's type and JSON Schema.

    Raises:
        NotTheEventError: it is not what one of them says.
    """
    decoder, validator = _checks(event_type)
    try:
        decoder.decode(value)
        document = msgspec.json.decode(value)
        validator.validate(document)
    except jsonschema_rs.ValidationError as error:
        place = ".".join(str(step) for step in error.instance_path)
        raise NotTheEventError(": ".join(filter(None, (place, error.message)))) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotTheEventError(str(error).partition("\n")[0]) from error
    if not _fits(document):
        raise NotTheEventError("an integer doesn't fit into 64 bits, as every reader needs")


@cache
def _checks(event_type: type[Event]) -> tuple[msgspec.json.Decoder[Event], jsonschema_rs.Draft7Validator]:
    return msgspec.json.Decoder(event_type), jsonschema_rs.Draft7Validator(schema(event_type))


def _fits(document: Any) -> bool:
    match document:
        case dict():
            return all(map(_fits, document.values()))
        case list():
            return all(map(_fits, document))
        case int():
            return -(2**63) <= document < 2**63
    return True
