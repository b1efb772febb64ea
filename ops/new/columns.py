"""SQL columns of an event: names and types as they are on the wire."""

from dataclasses import dataclass
from typing import Any

from msgspec import inspect

from events import Event
from ops.new.changes import DraftError

SCALARS: dict[type, str] = {
    inspect.IntType: "BIGINT",
    inspect.FloatType: "DOUBLE",
    inspect.BoolType: "BOOLEAN",
    inspect.StrType: "STRING",
    inspect.LiteralType: "STRING",
    inspect.BytesType: "BYTES",
}


@dataclass(frozen=True)
class Column:
    """A column of a table that holds an event."""

    name: str
    type: str


def columns(event: type[Event]) -> list[Column]:
    """Return one column a field, in the order of the fields.

    Raises:
        DraftError: no SQL type holds what a field holds.
    """
    return [Column(field.encode_name, _drafted_type(event, field)) for field in inspect.type_info(event).fields]  # type: ignore[attr-defined]


def _drafted_type(event: type[Event], field: inspect.Field) -> str:
    try:
        return sql_type(field.type)
    except KeyError as error:
        raise DraftError(
            f"{event.__name__}.{field.name} holds what no type of SQL does, so no table is drafted: write "
            "sql/tables/ by hand, without the field"
        ) from error


def sql_type(field: Any) -> str:
    """Return the SQL type that holds a field's values as they are on the wire.

    Args:
        field: its type, as `msgspec.inspect` describes it.

    Raises:
        KeyError: there is none.
    """
    match field:
        case inspect.Metadata(type=inner):
            return sql_type(inner)
        case (
            inspect.UnionType(types=(inner, inspect.NoneType())) | inspect.UnionType(types=(inspect.NoneType(), inner))
        ):
            return sql_type(inner)
        case inspect.VarTupleType(item_type=item):
            return f"ARRAY<{sql_type(item)}>"
        case inspect.DictType(value_type=value):
            return f"MAP<STRING, {sql_type(value)}>"
        case inspect.StructType(fields=fields):
            return f"ROW<{', '.join(f'{inner.name} {sql_type(inner.type)}' for inner in fields)}>"
    return SCALARS[type(field)]
