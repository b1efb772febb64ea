"""A pipeline brings the tables and views that it names; what can't be right is told with file, line and statement."""

from pathlib import Path

import pytest

from connectors.settings import Settings
from jobs.environment import variables
from sql import SqlFileError
from sql.pipeline import Pipeline, PipelineFile, find, load

INSERT = "INSERT INTO dead_letters_out SELECT event_id FROM dead_letters_of_payments;"


def loaded(text: str, **more: str) -> Pipeline:
    return load(PipelineFile("mine", "mine.sql", text, False), variables("mine", Settings()) | more)


def test_what_is_named_is_created_before_its_first_use() -> None:
    pipeline = loaded(f"CREATE TEMPORARY VIEW v AS SELECT 1 FROM orders;\n{INSERT}")

    assert [(each.file, each.creates()) for each in pipeline.preparations] == [
        ("sql/tables/orders.sql", "orders"),
        ("mine.sql", "v"),
        ("sql/tables/payments.sql", "payments"),
        ("sql/views/dead_letters_of.sql", "dead_letters_of_payments"),
        ("sql/tables/dead_letters_out.sql", "dead_letters_out"),
    ]


def test_what_the_file_creates_itself_is_not_brought() -> None:
    pipeline = loaded("CREATE TABLE orders (a INT);\nINSERT INTO orders SELECT a FROM orders;")

    assert [each.file for each in pipeline.preparations] == ["mine.sql"]


def test_dead_letters_are_rejected_by_the_pipeline() -> None:
    view = next(each for each in loaded(INSERT).preparations if each.creates() == "dead_letters_of_payments")

    assert "'mine' AS rejected_by" in view.text


def test_a_table_is_read_by_the_pipeline_s_own_consumer_group() -> None:
    table = next(each for each in loaded(INSERT).preparations if each.creates() == "payments")

    assert table.options()["properties.group.id"] == "millrace.mine"


def test_settings_are_filled_in() -> None:
    pipeline = loaded(
        "CREATE TABLE x (a INT) WITH ('topic' = '${MY_TOPIC}');\nINSERT INTO x SELECT a FROM x", MY_TOPIC="t's"
    )

    assert pipeline.preparations[0].options() == {"topic": "t's"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SET 'a' = '1';\nSELECT 1 FROM orders;", "mine.sql, line 2, SELECT 1 FROM orders: a pipeline consists of "),
        (f"\n{INSERT}\n{INSERT}", "mine.sql, line 3, INSERT INTO dead_letters_out: a pipeline has one statement set"),
        (f"{INSERT}\nSET 'a' = '1';", "mine.sql, line 2, SET 'a': it stands behind the inserts"),
        ("SET a = 1;", "mine.sql, line 1, SET a: write SET 'key' = 'value'"),
        ("SET 'a' = '1';", "mine.sql: nothing is inserted anywhere"),
        ("SELECT\n'${NOT_SET}'", "mine.sql, line 2: ${NOT_SET} has no value; set the variable NOT_SET"),
        (
            "EXECUTE STATEMENT SET BEGIN\nCREATE TABLE x (a INT);\nEND;",
            "mine.sql, line 2, CREATE TABLE x: only INSERT can stand in a statement set",
        ),
    ],
)
def test_what_can_not_be_right_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SqlFileError) as told:
        loaded(text)

    assert str(told.value).startswith(words)


def test_a_pipeline_is_found_by_its_name() -> None:
    assert find("top_products").label == "sql/pipelines/top_products.sql"


def test_a_user_s_file_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.sql"
    file.write_text(INSERT)

    assert find(str(file)) == PipelineFile("mine", str(file), INSERT, False)


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SqlFileError, match=r"no pipeline 'top_product'; there are: .*top_products"):
        find("top_product")


def test_a_user_s_file_does_not_take_over_a_pipeline_s_name(tmp_path: Path) -> None:
    file = tmp_path / "top_products.sql"
    file.write_text(INSERT)

    with pytest.raises(SqlFileError, match="give the file another name"):
        find(str(file))
