"""Agreement of event, released schemas, SQL tables and search mapping of each topic."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import sql
from connectors.kafka.topics import TOPICS, Topic
from ops.new.columns import sql_type
from ops.search import indices as search_indices
from ops.search.indices import Declared
from ops.topics.schemas import check, released
from tests.unit.sql.sql_columns import columns, option

TABLES = Path(str(sql.__file__)).parent / "tables"
NOT_FIELDS = {
    "record_error",
    "payload",
    "record_key",
    "source_topic",
    "source_partition",
    "source_offset",
    "source_headers",
}
"""Columns with metadata of a record, not its content."""

ADDED_BY_THE_SINK = {"source_time", "header_list", "cut"}
"""Fields of a dead letter that `millrace.kafka.BoundedRecords` fills; no view knows them."""

MAPPED: dict[type, set[str]] = {
    inspect.IntType: {"long"},
    inspect.BoolType: {"boolean"},
    inspect.StrType: {"keyword", "text"},
    inspect.LiteralType: {"keyword"},
    inspect.DictType: {"flattened"},
}

of_every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def table(topic: Topic) -> Path:
    return TABLES / f"{topic.name.replace('-', '_').replace('.', '_')}.sql"


def sink_table(topic: Topic) -> Path:
    return table(topic).with_stem(f"{table(topic).stem}_out")


of_every_table = pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if table(topic).exists()], ids=lambda topic: topic.name
)

of_every_sink_table = pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if sink_table(topic).exists()], ids=lambda topic: topic.name
)


of_every_search_index = pytest.mark.parametrize("declared", search_indices.declared(), ids=lambda each: each.alias)


def test_topic_names_are_unique() -> None:
    names = [topic.name for topic in TOPICS]

    assert len(names) == len(set(names))


@of_every_topic
def test_topic_is_keyed_by_a_field_of_its_event(topic: Topic) -> None:
    assert topic.key in {field.name for field in msgspec.structs.fields(topic.event)}


@of_every_topic
def test_topic_has_released_schemas_without_a_gap(topic: Topic) -> None:
    versions = list(released(topic))

    assert versions == list(range(1, len(versions) + 1))
    assert versions


@of_every_topic
def test_records_of_every_released_schema_can_be_read(topic: Topic) -> None:
    [verdict] = check([topic])

    assert verdict.reasons == ()


@of_every_table
def test_columns_of_a_table_are_fields_of_its_event(topic: Topic) -> None:
    types = {field.encode_name: field.type for field in inspect.type_info(topic.event).fields}  # type: ignore[attr-defined]
    declared = [column for column in columns(table(topic)) if not column.metadata]

    assert {column.name for column in declared} - NOT_FIELDS <= types.keys()
    for column in declared:
        if column.name in types:
            assert column.type == sql_type(types[column.name]), column.name


@of_every_table
def test_event_time_of_a_table_is_the_timestamp_of_the_record(topic: Topic) -> None:
    [event_time] = [column for column in columns(table(topic)) if column.name == "event_time"]

    assert (event_time.type, event_time.metadata) == ("TIMESTAMP_LTZ(3)", "timestamp")


@of_every_table
def test_table_declares_the_schema_of_its_topic(topic: Topic) -> None:
    assert option(table(topic), "value.guarded-json.schema") == f"${{{topic.schema_variable}}}"
    assert option(table(topic), "value.guarded-json.required") == ""


@of_every_table
def test_table_that_reads_headers_keeps_repeated_ones(topic: Topic) -> None:
    metadata = {column.metadata for column in columns(table(topic))}

    assert "headers" in metadata
    assert option(table(topic), "properties.interceptor.classes") == "millrace.kafka.WholeHeaders"


@of_every_sink_table
def test_sink_table_writes_every_field_of_its_event(topic: Topic) -> None:
    file = sink_table(topic)
    keys = {"record_key"} if option(file, "value.fields-include") == "EXCEPT_KEY" else set()
    written = {column.name: column.type for column in columns(file) if not column.metadata and column.name not in keys}

    assert written == {
        field.encode_name: sql_type(field.type)
        for field in inspect.type_info(topic.event).fields  # type: ignore[attr-defined]
        if field.encode_name not in ADDED_BY_THE_SINK
    }


@of_every_sink_table
def test_sink_table_writes_key_and_time_of_its_topic(topic: Topic) -> None:
    file = sink_table(topic)
    [time] = [column for column in columns(file) if column.metadata]

    assert option(file, "topic") == topic.name
    assert option(file, "key.fields") in {topic.key, "record_key"}
    assert option(file, "key.format") == "raw"
    assert (time.name, time.type, time.metadata) == ("record_time", "TIMESTAMP_LTZ(3)", "timestamp")


@of_every_search_index
def test_mapping_has_exactly_the_fields_of_its_event(declared: Declared) -> None:
    event = inspect.type_info(declared.index.topic.event)

    assert declared.mappings["dynamic"] == "strict"
    assert_mapped(event, declared.mappings["properties"])


@of_every_search_index
def test_mapping_has_event_time_as_date_and_id_as_keyword(declared: Declared) -> None:
    properties = declared.mappings["properties"]

    assert properties["event_time"] == {"type": "date", "format": "epoch_millis"}
    assert properties[declared.index.id_field] == {"type": "keyword"}


def test_every_mapping_file_belongs_to_an_alias() -> None:
    files = {file.stem for file in search_indices.FOLDER.iterdir()}

    assert files == {declared.alias for declared in search_indices.declared()}


def assert_mapped(event: Any, properties: Any) -> None:
    """Compare field by field, also inside of lines."""
    fields = {field.encode_name: field.type for field in event.fields}
    assert properties.keys() == fields.keys()
    for name, declared in fields.items():
        inner = without_wrapping(declared)
        if isinstance(inner, inspect.StructType):
            assert properties[name]["type"] == "nested", name
            assert_mapped(inner, properties[name]["properties"])
        elif name != "event_time":
            assert properties[name]["type"] in MAPPED[type(inner)], name
            assert properties[name]["type"] != "long" or properties[name]["coerce"] is False, name


def without_wrapping(field: Any) -> Any:
    """Return the type of a field's values, whether it has one, none or many: Elasticsearch doesn't distinguish."""
    match field:
        case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner):
            return without_wrapping(inner)
        case (
            inspect.UnionType(types=(inner, inspect.NoneType())) | inspect.UnionType(types=(inspect.NoneType(), inner))
        ):
            return without_wrapping(inner)
    return field
