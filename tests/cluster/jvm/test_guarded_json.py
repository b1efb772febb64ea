"""guarded-json: a record that doesn't fit the table is a row with the reason, and the next record is read."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment, TableResult

from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records

COLUMNS = """
    error STRING,
    id STRING,
    number BIGINT,
    tiny TINYINT,
    whole INT,
    ratio DOUBLE,
    small_ratio FLOAT,
    price DECIMAL(5, 2),
    flag BOOLEAN,
    code VARCHAR(3),
    exact CHAR(2),
    payload BYTES,
    bits VARBINARY(3),
    on_day DATE,
    hour_of_day TIME,
    local_time TIMESTAMP(3),
    moment TIMESTAMP_LTZ(3),
    lines ARRAY<ROW<product STRING NOT NULL, quantity INT>>,
    tags ARRAY<STRING NOT NULL>,
    labels MAP<STRING, INT>
"""
DATA_COLUMNS = [line.split()[0] for line in COLUMNS.split("\n    ")[1:] if not re.match("error|payload", line)]

DEEPER_THAN_ANY_STACK = 100_000
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Bad:
    """A value that no table can hold, and the reason in its dead letter."""

    value: bytes
    error: str


BAD = {
    "empty": Bad(b"", "the value is empty"),
    "only white space": Bad(b" \n", "the value is only white space"),
    "truncated in a string": Bad(b'{"id": "a', "the document ends too early (byte 9)"),
    "truncated in a number": Bad(b'{"id": "a", "number": 12', "the document ends too early (byte 24)"),
    "truncated after a field": Bad(b'{"id": "a", ', "the document ends too early (byte 12)"),
    "no JSON": Bad(b"id=a", "Unrecognized token 'id': was expecting (JSON String, Number, Array, Object or token"),
    "not UTF-8": Bad(b'{"id": "\xff"}', "not UTF-8 (byte 8)"),
    "UTF-8 in overlong form": Bad(b'{"id": "\xc0\x80"}', "not UTF-8 (byte 8)"),
    "UTF-8 of a surrogate": Bad(b'{"extra": "\xed\xa0\x80", "id": "a"}', "not UTF-8 (byte 11)"),
    "UTF-16": Bad('{"id": "a"}'.encode("utf-16-le"), "Illegal character ((CTRL-CHAR, code 0))"),
    "byte order mark": Bad(b'\xef\xbb\xbf{"id": "a"}', "a byte order mark, which JSON doesn't have (byte 0)"),
    "escape of half a surrogate pair": Bad(
        rb'{"id": "\ud83d"}', "id: half of a surrogate pair is not a character (byte 7)"
    ),
    "unknown escape": Bad(rb'{"extra": "\x"}', "Unrecognized character escape"),
    "line break in a string": Bad(b'{"id": "a\nb"}', "Illegal unquoted character"),
    "null": Bad(b"null", "null where an object is expected (byte 0)"),
    "array": Bad(b'[{"id": "a"}]', "an array where an object is expected (byte 0)"),
    "string": Bad(b'"a"', "a string where an object is expected (byte 0)"),
    "number": Bad(b"1", "a number where an object is expected (byte 0)"),
    "boolean": Bad(b" true", "a boolean where an object is expected (byte 1)"),
    "a second document": Bad(b'{"id": "a"} {"id": "b"}', "something follows the JSON object (byte 11)"),
    "trailing bytes": Bad(b'{"id": "a"}x', "something follows the JSON object (byte 11)"),
    "trailing zero byte": Bad(b'{"id": "a"}\0', "something follows the JSON object (byte 11)"),
    "duplicate key": Bad(b'{"id": "a", "id": "a"}', "Duplicate field 'id' (byte 16)"),
    "duplicate key among extra fields": Bad(b'{"id": "a", "x": {"y": 1, "y": 1}}', "Duplicate field 'y' (byte 29)"),
    "duplicate map key": Bad(b'{"id": "a", "labels": {"y": 1, "y": 1}}', "Duplicate field 'y' (byte 34)"),
    "deep nesting": Bad(
        b'{"id": "a", "x": ' + b"[" * DEEPER_THAN_ANY_STACK + b"]" * DEEPER_THAN_ANY_STACK + b"}",
        "Document nesting depth (1001) exceeds the maximum allowed (1000)",
    ),
    "deep nesting, truncated": Bad(b'{"a":' * DEEPER_THAN_ANY_STACK, "Document nesting depth (1001) exceeds"),
    "1 MiB without an end": Bad(b'{"id": "' + b"a" * MEBIBYTE, f"the document ends too early (byte {MEBIBYTE + 8})"),
    "required column missing": Bad(b'{"number": 1}', "id is missing"),
    "required column missing from nothing": Bad(b"{}", "id is missing"),
    "required column null": Bad(b'{"id": null}', "id: null, but it is required (byte 7)"),
    "required field of a row missing": Bad(
        b'{"id": "a", "lines": [{"product": "p"}, {"quantity": 1}]}', "lines[1].product is missing"
    ),
    "required field of a row null": Bad(
        b'{"id": "a", "lines": [{"product": null}]}', "lines[0].product: null, but it is required (byte 34)"
    ),
    "required element null": Bad(b'{"id": "a", "tags": ["x", null]}', "tags[1]: null, but it is required (byte 26)"),
}


def wrong(field: str, text: str, error: str) -> Bad:
    """Build a record whose only fault is one field's JSON text."""
    head = f'{{"id": "a", "{field}": '
    return Bad(f"{head}{text}}}".encode(), f"{field}: {error} (byte {len(head)})")


BAD |= {
    f"{bad.value[12:-1].decode()}": bad
    for bad in [
        wrong("number", '"12"', "a string where BIGINT is expected"),
        wrong("number", "true", "a boolean where BIGINT is expected"),
        wrong("number", "[1]", "an array where BIGINT is expected"),
        wrong("number", '{"a": 1}', "an object where BIGINT is expected"),
        wrong("number", "1.5", "1.5 is not a whole number, as BIGINT needs"),
        wrong("number", "15e-1", "15e-1 is not a whole number, as BIGINT needs"),
        wrong("number", "1e-999999999", "1e-999999999 is not a whole number, as BIGINT needs"),
        wrong("number", "9223372036854775808", "9223372036854775808 is out of range of BIGINT"),
        wrong("number", "9223372036854775808.0", "9223372036854775808.0 is out of range of BIGINT"),
        wrong("number", "1e19", "1e19 is out of range of BIGINT"),
        wrong("number", "1e999999999", "1e999999999 is out of range of BIGINT"),
        wrong("number", "-9223372036854775809", "-9223372036854775809 is out of range of BIGINT"),
        wrong("tiny", "128", "128 is out of range of TINYINT"),
        wrong("whole", "2147483648", "2147483648 is out of range of INT"),
        wrong("whole", "0.5", "0.5 is not a whole number, as INT needs"),
        wrong("ratio", '"0.5"', "a string where DOUBLE is expected"),
        wrong("ratio", "1e309", "1e309 is out of range of DOUBLE"),
        wrong("ratio", "1e99999999999", "1e99999999999 is out of range of DOUBLE"),
        wrong("small_ratio", "1e39", "1e39 is out of range of FLOAT"),
        wrong("price", "1000", "1000 is out of range of DECIMAL(5, 2)"),
        wrong("price", "1e999999999", "1e999999999 is out of range of DECIMAL(5, 2)"),
        wrong("price", "0.125", "0.125 has more decimals than DECIMAL(5, 2)"),
        wrong("price", "true", "a boolean where DECIMAL(5, 2) is expected"),
        wrong("price", '"twelve"', "twelve is not a number, as DECIMAL(5, 2) needs"),
        wrong("flag", '"true"', "a string where BOOLEAN is expected"),
        wrong("flag", "1", "a number where BOOLEAN is expected"),
        wrong("code", "123", "a number where VARCHAR(3) is expected"),
        wrong("code", '{"a": 1}', "an object where VARCHAR(3) is expected"),
        wrong("code", '"EURO"', "of length 4, which is not VARCHAR(3)"),
        wrong("exact", '"D"', "of length 1, which is not CHAR(2)"),
        wrong("bits", '"AAEC*"', "not base64, as VARBINARY(3) needs"),
        wrong("bits", '"AAECAw=="', "of length 4, which is not VARBINARY(3)"),
        wrong("on_day", '"2026-02-29"', "2026-02-29 is not a DATE as it is written here"),
        wrong("on_day", "20512", "a number where DATE is expected"),
        wrong("hour_of_day", '"25:00:00"', "25:00:00 is not a TIME(0) as it is written here"),
        wrong("local_time", '"2026-02-30 10:00:00"', "2026-02-30 10:00:00 is not a TIMESTAMP(3) as it is written here"),
        wrong("moment", '"2026-02-28 10:00:00"', "2026-02-28 10:00:00 is not a TIMESTAMP_LTZ(3) as it is written here"),
        wrong("lines", '{"product": "p"}', "an object where an array is expected"),
        wrong("labels", "[1]", "an array where an object is expected"),
    ]
}
BAD["too many digits"] = Bad(
    b'{"id": "a", "number": ' + b"1" * 1001 + b"}", "Number value length (1001) exceeds the maximum allowed (1000)"
)
BAD["an exponent that the parser fails of"] = Bad(
    b'{"id": "a", "number": 1e99999999999}', 'number: can\'t be read: Value "1e99999999999" can not be deserialized'
)
BAD["wrong type inside a row"] = Bad(
    b'{"id": "a", "lines": [{"product": "p", "quantity": "2"}]}', "lines[0].quantity: a string where INT is expected"
)
BAD["wrong type inside a map"] = Bad(
    b'{"id": "a", "labels": {"x": 1.5}}', "labels.x: 1.5 is not a whole number, as INT needs (byte 28)"
)

GOOD: dict[str, tuple[str, dict[str, object]]] = {
    "only what is required": ('{"id": "a"}', {}),
    "white space around": (' \n{"id": "a"}\r\n ', {}),
    "extra fields": ('{"id": "a", "extra": {"number": "x"}, "error": 1, "payload": [], "number": 7}', {"number": "7"}),
    "nulls": ('{"id": "a", "number": null, "lines": null, "labels": {"x": null}}', {"labels": "{x=NULL}"}),
    "exponent that is whole": ('{"id": "a", "number": 1e3}', {"number": "1000"}),
    "exponent of a small number": ('{"id": "a", "tiny": 12e1}', {"tiny": "120"}),
    "fraction of zero": ('{"id": "a", "number": 9007199254740993.0}', {"number": "9007199254740993"}),
    "zero with an exponent": ('{"id": "a", "number": -0e999999999}', {"number": "0"}),
    "largest number": ('{"id": "a", "number": 9223372036854775807}', {"number": "9223372036854775807"}),
    "whole number for a fraction": (
        '{"id": "a", "ratio": 2, "small_ratio": 2}',
        {"ratio": "2.0", "small_ratio": "2.0"},
    ),
    "decimals": ('{"id": "a", "price": 999.990}', {"price": "999.99"}),
    "decimal as a string": ('{"id": "a", "price": "-1.2e2"}', {"price": "-120.00"}),
    "characters outside ASCII": ('{"id": "a", "code": "ä😀€"}', {"code": "ä😀€"}),
    "escaped characters": (r'{"id": "a", "code": "\u00e4\ud83d\ude00\n"}', {"code": "ä😀\n"}),
    "nesting below the limit": ('{"id": "a", "x": ' + "[" * 900 + "]" * 900 + "}", {}),
    "1 MiB in an extra field": ('{"id": "a", "x": "' + "é" * (MEBIBYTE // 2) + '"}', {}),
    "times": (
        '{"id": "a", "on_day": "2024-02-29", "hour_of_day": "23:59:59", "local_time": "2024-02-29 10:00:00.123", '
        '"moment": "2024-02-29 10:00:00.123Z"}',
        {
            "on_day": "2024-02-29",
            "hour_of_day": "23:59:59",
            "local_time": "2024-02-29 10:00:00.123",
            "moment": "2024-02-29 10:00:00.123",
        },
    ),
    "nested": (
        '{"lines": [{"product": "p", "extra": 1, "quantity": 2}, {"product": "q"}, null], "tags": [], "id": "a"}',
        {"lines": "[(p, 2), (q, NULL), NULL]", "tags": "[]"},
    ),
    "everything": (
        '{"id": "a", "number": 1, "tiny": -128, "whole": -2147483648, "ratio": 1e-5, "small_ratio": 0.5, "price": 1, '
        '"flag": true, "code": "", "exact": "DE", "bits": "AAEC", "labels": {"x": 1}}',
        {
            "number": "1",
            "tiny": "-128",
            "whole": "-2147483648",
            "ratio": "1.0E-5",
            "small_ratio": "0.5",
            "price": "1.00",
            "flag": "TRUE",
            "code": "",
            "exact": "DE",
            "bits": "\x00\x01\x02",
            "labels": "{x=1}",
        },
    ),
}

FLINK_DIFFERS = {"exponent of a small number", "fraction of zero"}
"""Good records: Flink's own format refuses the first and rounds the second."""

Row = dict[str, Any]


def declare(environment: StreamTableEnvironment, folder: Path, columns: str = COLUMNS, **options: str) -> None:
    """Create a table `events` of the records in a folder; `required="a;b"` stands for 'guarded-json.required'."""
    given = "".join(f", 'guarded-json.{name.replace('_', '-')}' = '{value}'" for name, value in options.items())
    environment.execute_sql(f"""
        CREATE TEMPORARY TABLE events ({columns}, source_offset BIGINT METADATA FROM 'offset')
        WITH ('connector' = 'records', 'path' = '{folder}', 'format' = 'guarded-json' {given})
    """)


def collect(result: TableResult) -> list[Row]:
    names = result.get_table_schema().get_field_names()
    with result.collect() as rows:
        return [dict(zip(names, row, strict=True)) for row in rows]


def read(
    environment: StreamTableEnvironment, columns: Sequence[str] = DATA_COLUMNS, table: str = "events"
) -> list[Row]:
    """Return every row of a table in the order of the records, its data columns as text."""
    as_text = ", ".join(f"CAST({name} AS STRING) AS {name}" for name in columns)
    guards = ", error, payload" if table.startswith("events") else ""
    rows = collect(environment.execute_sql(f"SELECT {as_text}{guards}, source_offset FROM {table}"))
    return sorted(rows, key=lambda row: row["source_offset"])


@pytest.fixture(scope="module")
def decoded(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Row, Row]]:
    """Rows by case: its own, and that of the good record that follows. One job reads all of them."""
    environment = StreamTableEnvironment.create(cluster.environment())
    values = {name: bad.value for name, bad in BAD.items()} | {name: text.encode() for name, (text, _) in GOOD.items()}
    records = [Record(each) for value in values.values() for each in (value, b'{"id": "good"}')]
    declare(environment, write_records(tmp_path_factory.mktemp("cases"), records), required="id")
    rows = read(environment)
    assert len(rows) == len(records)
    return dict(zip(values, zip(rows[::2], rows[1::2], strict=True), strict=True))


@pytest.mark.parametrize("case", BAD)
def test_bad_record_arrives_with_its_bytes_and_the_reason(case: str, decoded: dict[str, tuple[Row, Row]]) -> None:
    row, _ = decoded[case]

    assert row["error"].startswith(BAD[case].error)
    assert row["payload"] == BAD[case].value
    assert {row[name] for name in DATA_COLUMNS} == {None}


@pytest.mark.parametrize("case", GOOD)
def test_good_record_arrives_whole_and_without_an_error(case: str, decoded: dict[str, tuple[Row, Row]]) -> None:
    row, _ = decoded[case]

    assert (row["error"], row["payload"]) == (None, GOOD[case][0].encode())
    assert {name: row[name] for name in DATA_COLUMNS if row[name] is not None} == {"id": "a"} | GOOD[case][1]


@pytest.mark.parametrize("case", [*BAD, *GOOD])
def test_record_after_a_good_or_bad_one_is_read(case: str, decoded: dict[str, tuple[Row, Row]]) -> None:
    _, following = decoded[case]

    assert (following["id"], following["error"], following["payload"]) == ("good", None, b'{"id": "good"}')


def test_tombstone_is_neither_a_row_nor_an_error(table_environment: StreamTableEnvironment, tmp_path: Path) -> None:
    declare(table_environment, write_records(tmp_path / "events", [Record(None), Record(b'{"id": "a"}')]))

    rows = read(table_environment)

    assert [(row["source_offset"], row["id"], row["error"]) for row in rows] == [(1, "a", None)]


def test_kept_tombstone_is_a_row_of_nulls(table_environment: StreamTableEnvironment, tmp_path: Path) -> None:
    declare(table_environment, write_records(tmp_path / "events", [Record(None), Record(b'{"id": "a"}')]))

    rows = read(table_environment, table="events /*+ OPTIONS('guarded-json.keep-tombstones' = 'true') */")

    assert [(row["source_offset"], row["id"], row["error"], row["payload"]) for row in rows] == [
        (0, None, None, None),
        (1, "a", None, b'{"id": "a"}'),
    ]


def test_good_record_is_read_as_by_flink_s_own_format(
    table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    texts = [text for name, (text, _) in GOOD.items() if name not in FLINK_DIFFERS]
    folder = write_records(tmp_path / "events", [Record(text.encode()) for text in texts])
    declare(table_environment, folder)
    data_columns = COLUMNS.replace("error STRING,", "").replace("payload BYTES,", "")
    table_environment.execute_sql(f"""
        CREATE TEMPORARY TABLE flinks ({data_columns}, source_offset BIGINT METADATA FROM 'offset')
        WITH ('connector' = 'records', 'path' = '{folder}', 'format' = 'json')
    """)

    guarded, flinks = read(table_environment), read(table_environment, table="flinks")

    assert [{name: row[name] for name in flinks[0]} for row in guarded] == flinks


def test_guard_columns_can_have_other_names_and_stand_anywhere(
    table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    folder = write_records(tmp_path / "events", [Record(b'{"error": "E1"}'), Record(b"{")])
    columns = "raw_value BYTES, error STRING, reason STRING"
    declare(table_environment, folder, columns, error_column="reason", payload_column="raw_value")

    rows = collect(table_environment.execute_sql("SELECT error, reason, raw_value FROM events"))

    assert rows == [
        {"error": "E1", "reason": None, "raw_value": b'{"error": "E1"}'},
        {"error": None, "reason": "the document ends too early (byte 1)", "raw_value": b"{"},
    ]


def test_timestamps_can_be_in_iso_form(table_environment: StreamTableEnvironment, tmp_path: Path) -> None:
    folder = write_records(tmp_path / "events", [Record(b'{"moment": "2026-03-01T12:00:05Z"}')])
    columns = "error STRING, payload BYTES, moment TIMESTAMP_LTZ(3)"
    declare(table_environment, folder, columns, **{"timestamp-format.standard": "ISO-8601"})

    (row,) = read(table_environment, ["moment"])

    assert (row["moment"], row["error"]) == ("2026-03-01 12:00:05.000", None)


@pytest.mark.parametrize(
    ("columns", "options", "problem"),
    [
        ("id STRING, payload BYTES", {}, "it needs a column `error` STRING"),
        ("id STRING, error STRING", {}, "it needs a column `payload` BYTES"),
        ("id STRING, error INT, payload BYTES", {}, "it needs a column `error` STRING"),
        ("id STRING NOT NULL, error STRING, payload BYTES", {}, "make it nullable; 'guarded-json.schema' or"),
        ("id STRING, error STRING, payload BYTES", {"required": "id;name"}, "names `name`, which is not a data column"),
        ("id STRING, error STRING, payload BYTES", {"required": "error"}, "names `error`, which is not a data column"),
        ("id STRING, error STRING, payload BYTES", {"ignore-parse-errors": "true"}, "Unsupported options"),
        ("id MAP<INT, INT>, error STRING, payload BYTES", {}, "can't read a map whose keys are INT"),
    ],
)
def test_table_that_can_hold_no_bad_record_is_refused_at_planning(
    table_environment: StreamTableEnvironment, tmp_path: Path, columns: str, options: dict[str, str], problem: str
) -> None:
    with pytest.raises(Py4JJavaError, match=re.escape(problem)):
        declare(table_environment, tmp_path, columns, **options)
        table_environment.explain_sql("SELECT * FROM events")


def test_sink_table_writes_only_the_data_columns(table_environment: StreamTableEnvironment, tmp_path: Path) -> None:
    table_environment.execute_sql(f"""
        CREATE TABLE written (error STRING, id STRING, payload BYTES, number BIGINT)
        WITH ('connector' = 'filesystem', 'path' = '{tmp_path / "written"}', 'format' = 'guarded-json')
    """)

    table_environment.execute_sql(
        "INSERT INTO written VALUES (CAST(NULL AS STRING), 'a', CAST(NULL AS BYTES), 1)"
    ).wait()

    lines = [line for file in (tmp_path / "written").iterdir() for line in file.read_text().splitlines()]
    assert lines == ['{"id":"a","number":1}']


def test_bad_records_are_counted_by_a_metric(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    folder = write_records(tmp_path / "events", [Record(b"{}"), Record(b'{"id": "a"}'), Record(b"")])
    given = "'connector' = 'records', 'stay-open' = 'true', 'format' = 'guarded-json', 'guarded-json.required' = 'id'"
    environment.execute_sql(f"""
        CREATE TABLE events (id STRING, error STRING, payload BYTES) WITH ({given}, 'path' = '{folder}')
    """)

    job = environment.execute_sql("SELECT * FROM events")
    try:
        client = job.get_job_client()
        jobs = f"http://127.0.0.1:{cluster.rest_port}/jobs/{client.get_job_id()}"

        assert wait_for(lambda: counter(jobs, "guarded_json_rejected")) == 2
    finally:
        client.cancel().result()


def counter(job: str, name: str) -> int:
    """Return the value of a source's counter from the REST API; 0 until the counter is reported."""
    (source,) = [vertex["id"] for vertex in requests.get(job, timeout=10).json()["vertices"]]
    metrics = f"{job}/vertices/{source}/metrics"
    known = [metric["id"] for metric in requests.get(metrics, timeout=10).json()]
    (found,) = [each for each in known if each.endswith(name)] or [""]
    values = requests.get(metrics, params={"get": found}, timeout=10).json()
    return int(values[0]["value"]) if values else 0


def wait_for(value: Callable[[], int], seconds: float = 30) -> int:
    """Return the first value that isn't 0."""
    deadline = time.monotonic() + seconds
    while not (found := value()):
        assert time.monotonic() < deadline, "no value in time"
    return found


FUZZED = 3000
SEED = 20260301
DOUBLE = Decimal("1e308")


@pytest.mark.full
def test_randomly_damaged_records_are_accepted_exactly_as_by_python(
    table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    values = list(damaged(random.Random(SEED), FUZZED))
    columns = """
        id STRING, number BIGINT, ratio DOUBLE, lines ARRAY<ROW<product STRING NOT NULL, quantity INT>>,
        error STRING, payload BYTES
    """
    declare(table_environment, write_records(tmp_path / "events", map(Record, values)), columns, required="id")

    rows = read(table_environment, ["id"])

    accepted = [row["error"] is None for row in rows]
    assert accepted == [fits(value) for value in values]
    assert 0.1 < sum(accepted) / FUZZED < 0.9
    assert [row["payload"] for row in rows] == values


def damaged(chance: random.Random, count: int) -> Iterator[bytes]:
    """Yield copies of one record, each with up to three bytes changed, removed or inserted."""
    whole = '{"id": "ä\\u00e4", "number": -12e1, "ratio": 0.5, "lines": [{"product": "p", "quantity": 2}], "x": [{}]}'
    pieces = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"0", b"9", b".", b"e5", b"-", b"null", b"true", b"\\", b"\xc3"]
    for _ in range(count):
        value = whole.encode()
        for _ in range(chance.randint(0, 3)):
            at, length = chance.randrange(len(value)), chance.choice([0, 0, 1, 1, 2, 20])
            value = value[:at] + chance.choice([b"", *pieces, bytes([chance.randrange(256)])]) + value[at + length :]
        yield value


def fits(value: bytes) -> bool:
    """Return whether a value is one JSON object for the columns of the test above, by Python's own parser."""
    try:
        document = json.loads(
            value.decode(), object_pairs_hook=without_duplicates, parse_float=Decimal, parse_constant=refuse
        )
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(document, dict)
        and is_text(document.get("id"))
        and is_whole(document.get("number"), 64)
        and is_number(document.get("ratio"))
        and (
            document.get("lines") is None
            or (isinstance(document["lines"], list) and all(map(is_line, document["lines"])))
        )
    )


def without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("duplicate key")
    return found


def refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def is_text(value: object) -> bool:
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_number(value: Any, limit: int | Decimal = DOUBLE) -> bool:
    if value is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value is None
    return -limit <= value < limit


def is_whole(value: Any, bits: int) -> bool:
    return is_number(value, 1 << (bits - 1)) and (value is None or value == int(value))


def is_list_of_lines(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(map(is_line, value)))


def is_line(value: object) -> bool:
    return value is None or (
        isinstance(value, dict) and is_text(value.get("product")) and is_whole(value.get("quantity"), 32)
    )
