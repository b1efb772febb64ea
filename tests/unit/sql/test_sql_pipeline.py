"""A pipeline creates the tables and views that it names; mistakes are reported with file, line and statement."""

from pathlib import Path

import pytest

from connectors.settings import Settings
from jobs.environment import variables
from sql import SqlFileError
from sql.tools.pipeline import Pipeline, PipelineFile, find, load

INSERT = "INSERT INTO dead_letters_out SELECT event_id FROM dead_letters_of_payments;"


def loaded(text: str, **more: str) -> Pipeline:
    return load(PipelineFile("mine", "mine.sql", text, False), variables("mine", Settings()) | more)


def test_named_objects_are_created_before_their_first_use() -> None:
    pipeline = loaded(f"CREATE TEMPORARY VIEW v AS SELECT 1 FROM orders;\n{INSERT}")

    assert [(each.file, each.creates()) for each in pipeline.preparations] == [
        ("sql/tables/kafka_source.sql", "kafka_source"),
        ("sql/tables/orders.sql", "orders"),
        ("mine.sql", "v"),
        ("sql/tables/payments.sql", "payments"),
        ("sql/views/dead_letters_of.sql", "dead_letters_of_payments"),
        ("sql/tables/kafka_sink.sql", "kafka_sink"),
        ("sql/tables/dead_letters_out.sql", "dead_letters_out"),
    ]


def test_function_named_several_times_is_created_once() -> None:
    view = "CREATE TEMPORARY VIEW {name} AS SELECT * FROM with_watermark(input => TABLE orders, uid => '{name}');\n"

    pipeline = loaded(view.format(name="v") + view.format(name="w") + INSERT)

    files = [(each.file, each.creates(), each.is_table()) for each in pipeline.preparations]
    assert files.count(("sql/functions/with_watermark.sql", "with_watermark", False)) == 1
    assert files.index(("sql/functions/with_watermark.sql", "with_watermark", False)) < files.index(
        ("mine.sql", "v", False)
    )


@pytest.mark.parametrize(
    "call",
    [
        "with_watermark(input => TABLE orders, uid => 'v')",
        "TABLE(with_watermark(input => TABLE orders, uid => 'v'))",
        "TABLE (`with_watermark`(TABLE orders))",
        "TABLE(WITH_WATERMARK(TABLE orders))",
    ],
)
def test_function_is_created_however_it_is_called(call: str) -> None:
    pipeline = loaded(f"CREATE TEMPORARY VIEW v AS SELECT * FROM {call};\nINSERT INTO o SELECT 1 FROM v;")

    assert {each.creates() for each in pipeline.preparations} == {"kafka_source", "orders", "with_watermark", "v"}
    assert pipeline.judges_lateness()


def test_function_named_only_in_a_comment_is_not_created() -> None:
    pipeline = loaded("INSERT INTO o /* with_watermark */ SELECT 1 FROM a; -- with_watermark")

    assert not pipeline.preparations
    assert not pipeline.judges_lateness()


JUDGED = "INSERT INTO o SELECT 1 FROM TABLE({name}(TABLE a));"
OWN = "CREATE TEMPORARY FUNCTION {name} AS 'millrace.watermarks.WithWatermark';\n"


@pytest.mark.parametrize("name", ["with_watermark", "judged"])
@pytest.mark.parametrize("key", ["parallelism.default", "table.exec.resource.default-parallelism"])
def test_file_that_reads_through_with_watermark_has_one_subtask(name: str, key: str) -> None:
    text = OWN.format(name=name) + "SET '{key}' = '{value}';\n" + JUDGED.format(name=name)

    assert loaded(text.format(key=key, value=1)).judges_lateness()
    with pytest.raises(
        SqlFileError, match=rf"^mine.sql, line 2, SET '{key}': a file that reads through with_watermark"
    ):
        loaded(text.format(key=key, value=4))
    assert not loaded(f"SET '{key}' = '4';\n{INSERT}").judges_lateness()


def test_objects_that_the_file_creates_are_not_created_twice() -> None:
    pipeline = loaded("CREATE TABLE orders (a INT);\nINSERT INTO orders SELECT a FROM orders;")

    assert [each.file for each in pipeline.preparations] == ["mine.sql"]


def test_dead_letters_are_rejected_by_the_pipeline() -> None:
    view = next(each for each in loaded(INSERT).preparations if each.creates() == "dead_letters_of_payments")

    assert "'mine' AS rejected_by" in view.text


def test_table_is_read_by_the_consumer_group_of_the_pipeline() -> None:
    table = next(each for each in loaded(INSERT).preparations if each.creates() == "kafka_source")

    assert table.options()["properties.group.id"] == "millrace.mine"


def test_settings_are_filled_in() -> None:
    pipeline = loaded(
        "CREATE TABLE x (a INT) WITH ('topic' = '${MY_TOPIC}');\nINSERT INTO x SELECT a FROM x", MY_TOPIC="t's"
    )

    assert pipeline.preparations[0].options() == {"topic": "t's"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "SET 'a' = '1';\nSELECT 1 FROM orders;",
            "mine.sql, line 2, SELECT 1 FROM orders: the rows of a query by itself",
        ),
        ("SHOW TABLES;", "mine.sql, line 1, SHOW TABLES: a pipeline contains SET, CREATE and DROP of tables, "),
        (f"\n{INSERT}\n{INSERT}", "mine.sql, line 3, INSERT INTO dead_letters_out: a pipeline is one job"),
        (f"{INSERT}\nSET 'a' = '1';", "mine.sql, line 2, SET 'a': it stands behind the inserts"),
        ("SET a = 1;", "mine.sql, line 1, SET a: write SET 'key' = 'value'"),
        ("SET 'a' = '1';", "mine.sql: nothing is inserted anywhere"),
        (
            f"ADD JAR 'https://example.org/a.jar';\n{INSERT}",
            "mine.sql, line 1, ADD JAR 'https://example.org/a.jar': https://example.org/a.jar would be fetched while",
        ),
        (
            f"CREATE FUNCTION f AS 'a.B' USING JAR '/a.jar', JAR 's3://b/b.jar';\n{INSERT}",
            "mine.sql, line 1, CREATE FUNCTION f: s3://b/b.jar would be fetched while the pipeline is only planned",
        ),
        ("SELECT\n'${NOT_SET}'", "mine.sql, line 2: ${NOT_SET} has no value; set the variable NOT_SET"),
        (
            "EXECUTE STATEMENT SET BEGIN\nCREATE TABLE x (a INT);\nEND;",
            "mine.sql, line 2, CREATE TABLE x: only INSERT can stand in a statement set",
        ),
    ],
)
def test_mistake_is_reported_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SqlFileError) as raised:
        loaded(text)

    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("table.local-time-zone", "Asia/Tokyo", "the times of records and dead letters are written as UTC"),
        ("pipeline.name", "other", "the job is called as its file is"),
        ("pipeline.global-job-parameters", "a:b", "they carry the settings"),
        ("table.exec.uid.generation", "DISABLED", "a savepoint's state is found by the uids"),
        ("table.plan.compile.catalog-objects", "ALL", "a savepoint's state is found by the uids"),
        ("execution.runtime-mode", "BATCH", "a pipeline is a streaming job"),
        ("execution.checkpointing.mode", "AT_LEAST_ONCE", "with any other value a restart counts records twice"),
        ("execution.state-recovery.path", "/tmp/savepoint", "each start of the pipeline would go back there"),
        ("execution.savepoint.path", "/tmp/savepoint", "each start of the pipeline would go back there"),
        ("execution.target", "local", "where a pipeline runs is set when it is submitted"),
        ("rest.address", "elsewhere", "where a pipeline runs is set when it is submitted"),
        ("table.exec.sink.not-null-enforcer", "DROP", "DROP loses rows without a word"),
        ("table.exec.sink.upsert-materialize", "NONE", "with NONE an older row of a key can overwrite"),
        ("table.exec.sink.keyed-shuffle", "NONE", "with NONE the changes of a key reach the sink in any order"),
        ("table.exec.sink.rowtime-inserter", "DISABLED", "with DISABLED records don't carry their event's time"),
        ("table.exec.sink.type-length-enforcer", "TRIM_PAD", "TRIM_PAD cuts texts without a word"),
        ("table.exec.legacy-cast-behaviour", "ENABLED", "with ENABLED a value that can't be cast becomes NULL"),
        ("execution.checkpointing.dir", "file:///tmp", "where a job's state lies is the cluster's to choose"),
        ("state.checkpoints.dir", "file:///tmp", "where a job's state lies is the cluster's to choose"),
        ("execution.checkpointing.storage", "jobmanager", "where a job's state lies is the cluster's to choose"),
        ("execution.checkpointing.create-subdir", "false", "with FALSE jobs overwrite each other's checkpoints"),
        (
            "execution.checkpointing.externalized-checkpoint-retention",
            "DELETE_ON_CANCELLATION",
            "with any other value a job that ends loses its state",
        ),
        (
            "execution.checkpointing.checkpoints-after-tasks-finish",
            "false",
            "with FALSE what a source that ends brought last is never committed",
        ),
        ("execution.checkpointing.approximate-local-recovery", "true", "with TRUE a restart loses records"),
        ("execution.savepoint-restore-mode", "CLAIM", "each start of the pipeline would go back there"),
        ("restart-strategy.type", "none", "by the cluster's a job restarts by itself"),
        ("restart-strategy", "none", "by the cluster's a job restarts by itself"),
        ("table.sql-dialect", "hive", "a pipeline is written in Flink's own SQL"),
    ],
)
def test_setting_that_correctness_depends_on_is_refused(key: str, value: str, words: str) -> None:
    with pytest.raises(SqlFileError) as refused:
        loaded(f"\nSET '{key}' = '{value}';\n{INSERT}")

    assert str(refused.value).startswith(f"mine.sql, line 2, SET '{key}': a file can't set this: {words}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("table.local-time-zone", "UTC"),
        ("execution.runtime-mode", "streaming"),
        ("execution.checkpointing.mode", "EXACTLY_ONCE"),
        ("execution.checkpointing.interval", "1 min"),
        ("table.exec.state.ttl", "1 h"),
        ("table.exec.sink.upsert-materialize", "FORCE"),
        ("table.exec.sink.type-length-enforcer", "ERROR"),
        ("table.exec.legacy-cast-behaviour", "disabled"),
        ("sql-client.execution.result-mode", "tableau"),
    ],
)
def test_setting_that_is_harmless_or_free_to_choose_is_accepted(key: str, value: str) -> None:
    assert loaded(f"SET '{key}' = '{value}';\n{INSERT}").preparations[0].setting() == (key, value)


@pytest.mark.parametrize(
    ("text", "brought"),
    [
        (
            "CREATE TABLE mine LIKE payments;\nINSERT INTO mine SELECT card_id FROM mine;",
            {"kafka_source", "payments"},
        ),
        (
            "CREATE TABLE mine (a INT) WITH ('topic' = 'x') LIKE kafka_sink;\nINSERT INTO mine SELECT 1;",
            {"kafka_sink"},
        ),
        (
            "CREATE TABLE w WITH ('table-name' = 'x') LIKE warehouse_fact_payment;\nINSERT INTO w SELECT 1;",
            {"warehouse_common", "warehouse_fact_payment"},
        ),
        (
            "INSERT INTO o WITH orders AS (SELECT 1 FROM orders WHERE error IS NULL) SELECT 1 FROM orders;",
            {"kafka_source", "orders"},
        ),
        ("INSERT INTO o WITH noteworthy_payments AS (SELECT 1 AS a) SELECT a FROM noteworthy_payments;", set()),
        (
            "INSERT INTO default_catalog.default_database.o SELECT 1 FROM `default_database`.`orders`;",
            {"kafka_source", "orders"},
        ),
        ("INSERT INTO o SELECT 1 FROM elsewhere.orders;", set()),
        ("INSERT INTO o SELECT 1 FROM a WHERE b LIKE orders;", set()),
        ("CREATE VIEW v AS SELECT 1 FROM orders;\nCREATE TABLE orders (a INT);\nINSERT INTO o SELECT 1 FROM v;", set()),
    ],
)
def test_created_objects_are_those_that_flink_looks_up(text: str, brought: set[str]) -> None:
    pipeline = loaded(text)

    assert {each.creates() for each in pipeline.preparations if each.file.startswith("sql/")} == brought


def test_setting_named_in_a_comment_is_not_filled_in() -> None:
    pipeline = loaded(
        f"-- ${{NOT_SET}} /* ${{NEITHER}}\n/* ${{NOT_SET}} */ SET 'a' = '-- ${{A_VALUE}}';\n{INSERT}", A_VALUE="b"
    )

    assert pipeline.preparations[0].setting() == ("a", "-- b")


def test_setting_in_a_hint_is_filled_in() -> None:
    pipeline = loaded("INSERT INTO x SELECT 1 FROM y /*+ OPTIONS('topic' = '${MY_TOPIC}') */", MY_TOPIC="t")

    assert pipeline.inserts[0].text.endswith("/*+ OPTIONS('topic' = 't') */")


@pytest.mark.parametrize("path", ["lib/a.jar", "/lib/a.jar", "file:///lib/a.jar"])
def test_local_jar_can_be_added(path: str) -> None:
    assert loaded(f"ADD JAR '{path}';\n{INSERT}").preparations[0].jars() == [path]


def test_two_dollars_escape_the_name_of_a_setting() -> None:
    assert loaded(f"SET 'a' = '$${{NOT_SET}}';\n{INSERT}").preparations[0].setting() == ("a", "${NOT_SET}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_byte_order_mark_and_carriage_returns_are_dropped(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "mine.sql"
    file.write_bytes(f"-- Größe.\r\n{INSERT}".encode(encoding))

    assert find(str(file)).text == f"-- Größe.\n{INSERT}"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_file_that_is_not_utf_8_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "mine.sql"
    file.write_bytes(f"-- Größe.\n{INSERT}".encode(encoding))

    with pytest.raises(SqlFileError, match=rf"^{file}, line 1: the file isn't UTF-8: byte 0x"):
        find(str(file))


def test_pipeline_is_found_by_its_name() -> None:
    assert find("top_products").label == "sql/pipelines/top_products.sql"


def test_file_of_a_user_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.sql"
    file.write_text(INSERT)

    assert find(str(file)) == PipelineFile("mine", str(file), INSERT, False)


def test_unknown_pipeline_is_reported_with_the_known_ones() -> None:
    with pytest.raises(SqlFileError, match=r"no pipeline 'top_product'; there are: .*top_products"):
        find("top_product")


def test_file_with_the_name_of_a_pipeline_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "top_products.sql"
    file.write_text(INSERT)

    with pytest.raises(SqlFileError, match="give the file another name"):
        find(str(file))
