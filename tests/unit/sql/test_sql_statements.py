"""A SQL file is split as Flink would read it, and every statement knows its line."""

import pytest

from sql import SqlFileError
from sql.tools.statements import head_comment, split

SET = """\
-- What it is.
-- One row per: minute.

SET 'a' = 'b;c';
EXECUTE STATEMENT SET
BEGIN
INSERT INTO x
SELECT CASE WHEN a = 'END;' THEN 1 END FROM y;

INSERT INTO z SELECT 1 FROM y;
END;
"""


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 2;", ["SELECT ';'", "SELECT 2"]),
        ("SELECT 'it''s; so';", ["SELECT 'it''s; so'"]),
        (r"SELECT SPLIT_INDEX(x, '\', 1); SELECT 2;", [r"SELECT SPLIT_INDEX(x, '\', 1)", "SELECT 2"]),
        ("SELECT `a;b` FROM x;", ["SELECT `a;b` FROM x"]),
        ("-- not; here\nSELECT 1; -- nor; here\n", ["SELECT 1"]),
        ("/* not;\nhere */ SELECT /* nor; here */ 1;", ["SELECT /* nor; here */ 1"]),
        ("SELECT '--' FROM x; SELECT 2", ["SELECT '--' FROM x", "SELECT 2"]),
        ("SELECT 1 /*+ OPTIONS('a'=';') */;", ["SELECT 1 /*+ OPTIONS('a'=';') */"]),
        ("SELECT `begin`, 1 AS ende FROM x; SELECT 2", ["SELECT `begin`, 1 AS ende FROM x", "SELECT 2"]),
        (";;\n;", []),
        ("-- nothing", []),
    ],
)
def test_file_is_split_at_the_semicolons_between_statements(text: str, statements: list[str]) -> None:
    assert [statement.text for statement in split(text, "x.sql")] == statements


def test_statement_set_is_one_statement_of_several_inserts() -> None:
    setting, inserts = split(SET, "x.sql")

    assert setting.setting() == ("a", "b;c")
    assert inserts.is_statement_set()
    assert [(insert.line, insert.target()) for insert in inserts.inserts()] == [(7, "x"), (10, "z")]


@pytest.mark.parametrize("opens", ["EXECUTE STATEMENT SET BEGIN", "BEGIN STATEMENT SET;", "begin statement set;"])
def test_statement_set_can_be_written_in_two_ways(opens: str) -> None:
    [inserts] = split(f"{opens}\nINSERT INTO x SELECT 1;\nINSERT INTO a.b.`y` SELECT 2;\nEND;", "x.sql")

    assert inserts.is_statement_set()
    assert [insert.target_path() for insert in inserts.inserts()] == [["x"], ["a", "b", "y"]]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("INSERT INTO x (a, b) SELECT 1, 2", ["x"]),
        ("EXECUTE INSERT INTO x SELECT 1", ["x"]),
        ("INSERT OVERWRITE x SELECT 1", ["x"]),
        ("SELECT 1 FROM x", ()),
    ],
)
def test_insert_has_the_table_that_it_writes_to(text: str, path: list[str]) -> None:
    [statement] = split(text, "x.sql")

    assert statement.target_path() == path


def test_statement_has_its_line_and_its_first_words() -> None:
    _, inserts = split(SET, "x.sql")

    assert [insert.place for insert in inserts.inserts()] == [
        "x.sql, line 7, INSERT INTO x",
        "x.sql, line 10, INSERT INTO z",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1;\nSELECT 'a;\n", "x.sql, line 2: this ' is never closed"),
        ("SELECT 1;\n\nSELECT /* a;\n", "x.sql, line 3: this /* is never closed"),
        ("EXECUTE STATEMENT SET\nBEGIN\nINSERT INTO x SELECT 1;", "x.sql, line 2: this BEGIN has no END"),
    ],
)
def test_unclosed_quote_comment_or_block_is_reported_with_its_line(text: str, words: str) -> None:
    with pytest.raises(SqlFileError) as raised:
        split(text, "x.sql")

    assert str(raised.value) == words


def test_missing_semicolon_in_a_statement_set_has_its_line() -> None:
    [inserts] = split("EXECUTE STATEMENT SET BEGIN\nINSERT INTO x\nSELECT 1\nEND;", "x.sql")

    with pytest.raises(SqlFileError, match=r"^x.sql, line 3: a semicolon is missing before END$"):
        inserts.inserts()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT 1 FROM a JOIN b ON a.x = b.x LEFT JOIN `c` ON TRUE", {"a", "b", "c"}),
        ("SELECT 1 FROM a AS x, b WHERE x.y IN (SELECT y, z FROM c)", {"a", "b", "c"}),
        ("INSERT INTO a SELECT 1 FROM TABLE(TUMBLE(TABLE b, DESCRIPTOR(t), INTERVAL '1' MINUTE))", {"a", "b", "TABLE"}),
        ("CREATE VIEW v AS WITH s AS (SELECT 1 FROM a), t AS (SELECT 1 FROM s) SELECT 1 FROM t", {"a"}),
        ("SELECT f(input => TABLE a PARTITION BY b)", {"a"}),
    ],
)
def test_tables_are_found_in_every_position(text: str, names: set[str]) -> None:
    [statement] = split(text, "x.sql")

    assert statement.references() == names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CREATE TABLE a (x INT)", "a"),
        ("create temporary table if not exists `a` (x INT)", "a"),
        ("CREATE OR REPLACE TEMPORARY VIEW a AS SELECT 1", "a"),
        ("CREATE FUNCTION a AS 'table'", "a"),
        ("INSERT INTO a SELECT 1", None),
    ],
)
def test_statement_has_the_name_of_what_it_creates(text: str, name: str | None) -> None:
    [statement] = split(text, "x.sql")

    assert statement.creates() == name


def test_statement_has_the_options_of_its_table() -> None:
    [table] = split("CREATE TABLE a (x STRING DEFAULT 'b') WITH ('topic' = 'it''s', 'format'='json')", "x.sql")

    assert table.options() == {"topic": "it's", "format": "json"}


def test_head_comment_is_the_description_of_the_file() -> None:
    assert head_comment(SET) == "What it is.\nOne row per: minute."
