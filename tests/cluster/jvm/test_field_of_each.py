"""`field_of_each` reads a field of each row of an array."""

from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment

from tests.cluster.records import Record, write_records

LINES = "CAST(ARRAY[ROW(3, 'c'), ROW(1, CAST(NULL AS STRING))] AS ARRAY<ROW<number BIGINT, label STRING>>)"
NO_LINE = "CAST(NULL AS ROW<number BIGINT, label STRING>)"


@pytest.fixture
def functions(table_environment: StreamTableEnvironment) -> StreamTableEnvironment:
    table_environment.execute_sql(
        "CREATE TEMPORARY SYSTEM FUNCTION field_of_each AS 'millrace.rows.FieldOfEach' LANGUAGE JAVA"
    )
    return table_environment


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"field_of_each({LINES}, 'number')", [3, 1]),
        (f"ARRAY_JOIN(field_of_each({LINES}, 'label'), ',', 'none')", "c,none"),
        ("field_of_each(CAST(NULL AS ARRAY<ROW<number BIGINT>>), 'number')", None),
        (f"ARRAY_MAX(field_of_each({LINES}, 'number'))", 3),
        (f"CAST(field_of_each(ARRAY[{LINES}[1], {NO_LINE}], 'number') AS STRING)", "[3, NULL]"),
        (f"CAST(field_of_each(ARRAY[{NO_LINE}, {LINES}[1]], 'label') AS STRING)", "[NULL, c]"),
    ],
)
def test_field_of_each_row_is_an_array_in_row_order(
    functions: StreamTableEnvironment, expression: str, value: Any
) -> None:
    with functions.execute_sql(f"SELECT {expression}").collect() as rows:
        [[found]] = rows

    assert found == value


@pytest.mark.parametrize(
    ("field", "values"), [("number", "[3, NULL, 1]"), ("label", "[more than eight bytes, NULL, b]")]
)
def test_null_row_has_a_null_field_even_where_the_field_is_never_null(
    functions: StreamTableEnvironment, tmp_path: Path, field: str, values: str
) -> None:
    functions.execute_sql(f"""
        CREATE TEMPORARY TABLE lists (
            lines ARRAY<ROW<number BIGINT NOT NULL, label STRING NOT NULL>>, error STRING, payload BYTES
        )
        WITH ('connector' = 'records', 'path' = '{tmp_path}', 'format' = 'guarded-json')
    """)
    lines = b'[{"number": 3, "label": "more than eight bytes"}, null, {"number": 1, "label": "b"}]'
    write_records(tmp_path, [Record(b'{"lines": ' + lines + b"}")])

    # DISTINCT sends rows from task to task, so that the array arrives in binary form.
    query = f"SELECT CAST(field_of_each(lines, '{field}') AS STRING) FROM (SELECT DISTINCT lines FROM lists)"
    with functions.execute_sql(query).collect() as rows:
        [[found]] = rows

    assert found == values


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (f"field_of_each({LINES}, 'numbr')", "field_of_each: unknown field 'numbr'; did you mean 'number'?"),
        (f"field_of_each({LINES}, UPPER('number'))", "field_of_each needs a field's name in quotes"),
        ("field_of_each(ARRAY[1], 'number')", "field_of_each needs an array of rows, but the first argument is ARRAY"),
    ],
)
def test_wrong_argument_fails_at_planning(functions: StreamTableEnvironment, expression: str, message: str) -> None:
    with pytest.raises(Py4JJavaError) as refusal:
        functions.sql_query(f"SELECT {expression}")

    assert message in str(refusal.value)
