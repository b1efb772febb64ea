"""Reports on a pipeline before it runs: errors with their place, constructs that cause trouble, effects of changes."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyflink.common import JobClient
from pyflink.table import StreamTableEnvironment
from pyflink.util.exceptions import TableException

import sql
from connectors.kafka import topics
from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling, planned
from local.settings import CHECKOUT
from ops.jobs.pipelines import Planned, planned_pipelines, problems
from ops.jobs.sql_commands import sql_pipelines
from sql import SqlFileError
from sql.tools import lint, plans
from sql.tools.pipeline import Pipeline, PipelineFile, find, load
from tests.builders.events import payment
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import over_files_in, record

GOOD = """\
-- One row per: minute and country. Keyed by: country.
-- Late: a payment whose minute was closed; it becomes a dead letter.
CREATE TABLE counts (country STRING, payments BIGINT) WITH (
    'connector' = 'kafka',
    'topic' = 'counts',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'key.format' = 'raw',
    'key.fields' = 'country',
    'value.format' = 'json'
);
CREATE TEMPORARY VIEW judged AS
SELECT
    country, amount_minor, record_key, payload, event_time, rowtime,
    source_topic, source_partition, source_offset, source_headers,
    CASE WHEN error IS NULL AND FLOOR(event_time TO MINUTE) + INTERVAL '59.999' SECOND <= last_watermark THEN 'late'
    ELSE error END AS error
FROM with_watermark(input => TABLE payments, on_time => DESCRIPTOR(event_time), uid => 'payments-with-watermark');
CREATE TEMPORARY VIEW in_time AS SELECT country, amount_minor, rowtime FROM judged WHERE error IS NULL;
CREATE TEMPORARY VIEW minutes AS
SELECT country, COUNT(*) AS payments
FROM TABLE(TUMBLE(TABLE in_time, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY country, window_start, window_end;
EXECUTE STATEMENT SET
BEGIN
INSERT INTO counts SELECT country, payments FROM minutes;
INSERT INTO dead_letters_out (event_id, reason) SELECT event_id, reason FROM dead_letters_of_judged;
END;
"""
COUNTS = "INSERT INTO counts SELECT country, payments FROM minutes;"
END = "END;"
DEAD_LETTERS = "INSERT INTO dead_letters_out (event_id, reason) SELECT event_id, reason FROM dead_letters_of_judged;"
RETRACTED = "INSERT INTO up SELECT country, COUNT(*) FROM payments WHERE country IS NOT NULL GROUP BY country;"
JOINED = "INSERT INTO counts SELECT o.currency, 1 FROM payments AS p JOIN orders AS o USING (order_id);"
OTHERS = "CREATE TABLE others (country STRING) WITH ('connector' = 'blackhole');\nEXECUTE STATEMENT SET"
OVER = "INSERT INTO counts SELECT country, COUNT(*) OVER (PARTITION BY country ORDER BY rowtime) FROM in_time;"
READ_BACK = "INSERT INTO up SELECT country, n + 1 FROM up;"
COPIED = "minutes;\nINSERT INTO counts SELECT country, 1 FROM mine WHERE error IS NULL;\nINS"
MATCHED = """\
INSERT INTO counts SELECT country, 1 FROM in_time MATCH_RECOGNIZE (
    PARTITION BY country
    ORDER BY rowtime
    MEASURES LAST(big.amount_minor) AS amount_minor
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (little big){within}
    DEFINE little AS amount_minor < 100, big AS amount_minor > 10000
);"""
TOPIC = """\
CREATE TABLE {name} (country STRING) WITH (
    'connector' = 'kafka',
    'topic' = '{name}',
    'properties.bootstrap.servers' = 'x:1',
    'properties.group.id' = 'x',
    {form}
);
EXECUTE STATEMENT SET"""
CAPTURED = TOPIC.format(name="captured", form="'format' = 'debezium-json'")
IGNORING = TOPIC.format(name="ignoring", form="'format' = 'json', 'json.ignore-parse-errors' = 'true'")
STATELESS = """\
CREATE TABLE numbers (a STRING, b BIGINT, seen AS PROCTIME()) WITH ('connector' = 'datagen');
EXECUTE STATEMENT SET"""
BY_THE_CLOCK = """\
INSERT INTO counts SELECT a, COUNT(*) FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(seen), INTERVAL '1' MINUTE))
GROUP BY a, window_start, window_end;"""
FROM_STEPS = """\
CREATE TEMPORARY VIEW checked AS
SELECT event_id, CASE WHEN error IS NULL AND country = 'XX' THEN 'nowhere' ELSE error END AS wrong FROM payments;
CREATE TEMPORARY VIEW firsts AS
SELECT event_id AS id, wrong AS why
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY PROCTIME()) AS nth FROM checked)
WHERE nth = 1;
SET 'table.exec.state.ttl' = '1 h';
EXECUTE STATEMENT SET"""
LETTERS_FROM_STEPS = "INSERT INTO dead_letters_out (event_id, reason) SELECT id, why FROM firsts WHERE why IS NOT NULL;"
OWN_STEP = """\
INSERT INTO counts
WITH payments AS (SELECT country FROM payments WHERE error IS NULL) SELECT country, 1 FROM payments;"""
FOR_AN_HOUR = "SET 'table.exec.state.ttl' = '1 h';\n"
WITH_TIME = [
    ("payments\nFROM TABLE", "payments, window_time AS event_time\nFROM TABLE"),
    ("window_end;", "window_end, window_time;"),
]
HOURS = [
    ("AS payments\nFROM TABLE", "AS payments, window_time AS closed\nFROM TABLE"),
    (
        COUNTS,
        "INSERT INTO counts SELECT country, SUM(payments) FROM TABLE(TUMBLE(TABLE minutes, DESCRIPTOR(closed), "
        "INTERVAL '1' HOUR)) GROUP BY country, window_start, window_end;",
    ),
]
UPSERTED = """\
SET 'table.exec.sink.require-on-conflict' = 'false';
CREATE TABLE up (country STRING, n BIGINT, PRIMARY KEY ({key}) NOT ENFORCED) WITH (
    'connector' = 'upsert-kafka',
    'topic' = 'up',
    'properties.bootstrap.servers' = 'x:1',
    'key.format' = 'json',
    'value.format' = 'json'
);
EXECUTE STATEMENT SET"""

TUMBLED = "TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))"
PER_MINUTE = f"""\
INSERT INTO counts SELECT country, COUNT(*) FROM {TUMBLED.format(table="payments")}
GROUP BY country, window_start, window_end;"""
PER_SESSION = PER_MINUTE.replace("TUMBLE", "SESSION").replace("payments,", "payments PARTITION BY country,")
FIRSTS = """\
INSERT INTO counts SELECT country, amount_minor FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY payment_id ORDER BY {time}) AS nth FROM payments
) WHERE nth = 1;"""
TOP_OF_MINUTE = f"""\
INSERT INTO counts SELECT country, amount_minor FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY amount_minor DESC) AS nth
    FROM {TUMBLED.format(table="payments")}
) WHERE nth <= 3;"""
FIRST_OF_MINUTE = TOP_OF_MINUTE.replace("amount_minor DESC", "event_time").replace("<= 3", "= 1")
IN_ONE_MINUTE = f"""\
INSERT INTO counts SELECT p.country, 1
FROM (SELECT * FROM {TUMBLED.format(table="payments")}) AS p
JOIN (SELECT * FROM {TUMBLED.format(table="orders")}) AS o
    ON o.order_id = p.order_id AND o.window_start = p.window_start AND o.window_end = p.window_end;"""
PAID_SOON = """\
INSERT INTO counts SELECT p.country, 1 FROM {table} AS p JOIN orders AS o
    ON o.currency = p.country AND p.{time} BETWEEN o.event_time AND o.event_time + INTERVAL '15' MINUTE;"""


PER_COUNTRY = "INSERT INTO counts SELECT country, COUNT(*) FROM payments GROUP BY country;"
MINUTES = "INTERVAL '1' MINUTE))"
SUSPECTS = "INSERT INTO counts SELECT country, amount_minor FROM ranked WHERE n <= 3;"
RANKED = """\
CREATE TEMPORARY VIEW ranked AS
SELECT *, ROW_NUMBER() OVER (PARTITION BY country ORDER BY amount_minor DESC) AS n FROM payments;
EXECUTE STATEMENT SET"""
TIMES = """\
CREATE TABLE times (a TIMESTAMP_LTZ(3), b TIMESTAMP_LTZ(3)) WITH (
    'connector' = 'kafka',
    'topic' = 'times',
    'properties.bootstrap.servers' = 'x:1',
    'value.format' = 'json'
);
EXECUTE STATEMENT SET"""
UNGROUPED = """\
CREATE TABLE ungrouped (country STRING) WITH (
    'connector' = 'kafka',
    'topic' = 'ungrouped',
    'properties.bootstrap.servers' = 'x:1',
    'value.format' = 'raw'
);
EXECUTE STATEMENT SET"""
TIMELESS = """\
CREATE TABLE timeless (country STRING, seen TIMESTAMP(3)) WITH ('connector' = 'datagen');
EXECUTE STATEMENT SET"""
SET_OUT = "EXECUTE STATEMENT SET"

PLANS: dict[str, Mapping[str, Any]] = {}
"""Plans by the text of their pipeline: most are compared with that of one text, and each takes half a second."""


def pipeline(text: str) -> Pipeline:
    return load(PipelineFile("mine", "mine.sql", text, False), filling("mine", Settings()))


def plan_of(cluster: MiniCluster, text: str) -> Mapping[str, Any]:
    """Return the plan of a pipeline, made once for all tests."""
    if text not in PLANS:
        PLANS[text] = planned(cluster.environment(SQL_OPTIONS), pipeline(text)).plan
    return PLANS[text]


def findings_in(cluster: MiniCluster, text: str) -> list[str]:
    """Return the findings of the lint."""
    outcome = planned(cluster.environment(SQL_OPTIONS), pipeline(text))
    return lint.findings(outcome.pipeline, plans.read(outcome.plan), outcome.catalog)


def changed(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


# The order differs from that in which the plans were kept, since nothing may depend on it.
@pytest.mark.parametrize("name", list(reversed(sql.names("pipelines"))))
def test_pipeline_of_ours_can_be_planned_without_a_finding(name: str, cluster: MiniCluster) -> None:
    [(file, outcome)] = planned_pipelines([find(name)], lambda: cluster.environment(SQL_OPTIONS))

    assert isinstance(outcome, Planned), outcome
    assert problems(file, outcome) == []


@pytest.mark.parametrize("name", sql.names("pipelines"))
def test_kept_plan_holds_no_secret_no_address_and_no_path(name: str) -> None:
    text = (CHECKOUT / "sql" / "plans" / f"{name}.txt").read_text("utf-8")

    assert not re.search(r"password|properties\.|bootstrap|\d+\.\d+\.\d+\.\d+|:\d{4,5}\b", text)
    assert not re.search(r"[\"'](/|[a-z]+://)", text)
    assert not any(len(value) > 8 and value in text for value in Settings().as_variables().values())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "SELECT country, COUNT(*) AS payments\n",
            "SELECT country,\n    COUNT(nothing) AS payments\n",
            "mine.sql, line 21, column 11, in CREATE TEMPORARY VIEW minutes: Column 'nothing' not found in any table",
        ),
        (
            "GROUP BY country,",
            "GRUOP BY country,",
            'mine.sql, line 22, column 7, in CREATE TEMPORARY VIEW minutes: SQL parse failed. Encountered "BY"',
        ),
        (
            "TABLE payments,",
            "TABLE paymentz,",
            "mine.sql, line 17, column 36, in CREATE TEMPORARY VIEW judged: Object 'paymentz' not found; the pipeline "
            "doesn't create it, and neither sql/tables nor sql/views has paymentz.sql; did you mean payments?",
        ),
        (
            "SELECT country, payments FROM minutes",
            "\nSELECT country,\nFOO(payments) FROM minutes",
            "mine.sql, line 27, column 1, in INSERT INTO counts: No match found for function signature FOO(<NUMERIC>)",
        ),
        (
            "'key.format' = 'raw',",
            "'key.format' = 'raw',\n    'strange' = 's3cret',",
            "mine.sql, line 3, CREATE TABLE counts: Unable to create a sink for writing table 'counts'. Unsupported "
            "options found for 'kafka'. Unsupported options: strange",
        ),
    ],
)
def test_error_names_file_line_and_statement(old: str, new: str, words: str, cluster: MiniCluster) -> None:
    with pytest.raises(SqlFileError) as reported:
        plan_of(cluster, changed(GOOD, (old, new)))

    assert " ".join(str(reported.value).split()) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            changed(GOOD, (COUNTS, PER_COUNTRY)),
            "mine.sql, line 25, INSERT INTO counts: Table sink 'counts' doesn't support consuming update changes which "
            "is produced by node GroupAggregate(groupBy=[country], select=[country, COUNT(*) AS EXPR$1]); the query "
            "takes back rows that it has emitted, and this sink only takes new ones",
        ),
        (
            changed(GOOD, (SET_OUT, RANKED), (COUNTS, SUSPECTS)),
            "mine.sql, line 27, INSERT INTO counts: Table sink 'counts' doesn't support consuming update and delete",
        ),
        (
            changed(GOOD, (COUNTS, "INSERT INTO counts SELECT country, payments FROM minutes ORDER BY payments;")),
            "mine.sql, line 25, INSERT INTO counts: Sort on a non-time-attribute field is not supported.; a stream has",
        ),
        (
            changed(GOOD, (SET_OUT, TIMES), (COUNTS, "INSERT INTO times SELECT event_time, event_time FROM payments;")),
            "mine.sql, line 31, INSERT INTO times: The query contains more than one rowtime attribute column",
        ),
        (
            changed(GOOD, ("TUMBLE(", "HOP("), (MINUTES, "INTERVAL '7' SECOND, " + MINUTES)),
            "mine.sql, line 19, CREATE TEMPORARY VIEW minutes: HOP table function based aggregate requires",
        ),
        (
            changed(
                GOOD,
                (
                    COUNTS,
                    "INSERT INTO counts SELECT country, COUNT(*) OVER (PARTITION BY country ORDER BY event_time "
                    "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM payments;",
                ),
            ),
            "mine.sql, line 25, INSERT INTO counts: OVER RANGE FOLLOWING windows are not supported yet.; a stream",
        ),
        (
            changed(GOOD, (SET_OUT, UNGROUPED), (COUNTS, "INSERT INTO counts SELECT country, 1 FROM ungrouped;")),
            "mine.sql, line 23, CREATE TABLE ungrouped: Property group.id is required when using committed offset for "
            "offsets initializer; add 'properties.group.id' = '${CONSUMER_GROUP}'",
        ),
        (
            changed(
                GOOD,
                (SET_OUT, TIMELESS),
                ("TABLE in_time, DESCRIPTOR(rowtime)", "TABLE timeless, DESCRIPTOR(seen)"),
                (TIMELESS.removesuffix(SET_OUT), ""),
                ("CREATE TEMPORARY VIEW minutes", TIMELESS.removesuffix(SET_OUT) + "CREATE TEMPORARY VIEW minutes"),
            ),
            "mine.sql, line 20, CREATE TEMPORARY VIEW minutes: The window function requires the timecol is a time attr",
        ),
        (
            changed(GOOD, (SET_OUT, f"SET 'pipeline.max-parallelism' = 'many';\n{SET_OUT}")),
            "mine.sql, line 23, SET 'pipeline.max-parallelism': Could not parse value 'many' for key",
        ),
        (
            changed(GOOD, (COUNTS, f"INSERT INTO counts /*+ OPTIONS('strange' = 'a') */ {COUNTS[19:]}")),
            "mine.sql, line 25, INSERT INTO counts: Unable to create a sink for writing table 'counts'. Unsupported",
        ),
        (
            changed(GOOD, ("country, payments FROM minutes", f"country, {'+'.join(['payments'] * 9000)} FROM minutes")),
            "mine.sql, line 25, INSERT INTO counts: ",
        ),
        (
            changed(GOOD, ("CREATE TEMPORARY VIEW minutes", "CREATE TABLE mine LIKE paymentz;\nCREATE VIEW minutes")),
            "mine.sql, line 19, column 24, in CREATE TABLE mine LIKE paymentz: Source table '`paymentz`' of the LIKE",
        ),
    ],
)  # fmt: skip
def test_planning_failure_names_file_line_statement_and_remedy(text: str, words: str, cluster: MiniCluster) -> None:
    with pytest.raises(SqlFileError) as refused:
        plan_of(cluster, text)

    assert str(refused.value).startswith(words)
    assert "\tat " not in str(refused.value)


def test_files_after_one_that_cannot_be_planned_are_checked(
    cluster: MiniCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "aggregate.sql": changed(GOOD, (COUNTS, PER_COUNTRY)).encode(),
        "latin.sql": "-- Größe".encode("latin-1"),
        "star.sql": changed(GOOD, (COUNTS, "INSERT INTO counts SELECT * FROM minutes;")).encode(),
        "good.sql": GOOD.encode(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ops.jobs.sql_commands.stream_environment", lambda _: cluster.environment(SQL_OPTIONS))

    checked = CliRunner().invoke(sql_pipelines, ["check", *files, "gone.sql"])

    begins = [
        "aggregate.sql, line 25, INSERT INTO counts: Table sink",
        "latin.sql, line 1: the file isn't UTF-8",
        "star.sql, line 25, INSERT INTO counts: SELECT *",
        "good.sql: ok",
        "there is no file gone.sql",
    ]
    assert [line[: len(begin)] for line, begin in zip(checked.output.splitlines(), begins, strict=True)] == begins
    assert checked.exit_code == 1


FILES = "CREATE TABLE files (country STRING) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'csv')"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"{FILES} AS SELECT 'PT' AS country", "it would write while the pipeline is only planned"),
        (FILES.replace("CREATE", "CREATE OR REPLACE") + " AS SELECT 'PT' AS country", "it would write while the"),
        ("SELECT country FROM payments", "the rows of a query by itself go nowhere in a job"),
        ("DELETE FROM counts", "a pipeline contains SET, CREATE and DROP of tables, "),
        ("TRUNCATE TABLE counts", "a pipeline contains"),
        ("UPDATE counts SET country = 'PT'", "a pipeline contains"),
        ("ANALYZE TABLE counts COMPUTE STATISTICS", "a pipeline contains"),
        ("CALL optimize('counts')", "a pipeline contains"),
        ("EXPLAIN SELECT country FROM payments", "a pipeline contains"),
        ("EXECUTE PLAN '/tmp/plan.json'", "a pipeline contains"),
        ("COMPILE PLAN '/tmp/plan.json' FOR INSERT INTO counts SELECT country, 1 FROM payments", "a pipeline contains"),
        ("LOAD MODULE core", "a pipeline contains"),
        ("RESET", "a pipeline contains"),
        ("ALTER TABLE counts RENAME TO numbers", "a pipeline contains"),
        ("CREATE CATALOG other WITH ('type' = 'jdbc')", "its tables would be asked for elsewhere"),
        ("CREATE MATERIALIZED TABLE m FRESHNESS = INTERVAL '1' DAY AS SELECT country FROM payments", "it would start"),
    ],
)  # fmt: skip
def test_forbidden_statement_is_refused_and_writes_nothing(
    statement: str, words: str, cluster: MiniCluster, tmp_path: Path
) -> None:
    statement = statement.format(folder=tmp_path / "files").replace(" (country STRING)", "")

    with pytest.raises(SqlFileError) as refused:
        plan_of(cluster, changed(GOOD, (SET_OUT, f"{statement};\n{SET_OUT}")))

    place, _, reason = str(refused.value).partition(": ")
    assert place.startswith(f"mine.sql, line 23, {statement.split()[0]}")
    assert reason.startswith(words)
    assert not (tmp_path / "files").exists()


HINT = "/*+ OPTIONS('scan.startup.mode' = 'earliest-offset') */"


def test_options_of_a_hint_reach_the_job(cluster: MiniCluster) -> None:
    text = changed(GOOD, (SET_OUT, UNGROUPED), (COUNTS, f"INSERT INTO counts SELECT country, 1 FROM ungrouped {HINT};"))

    assert "'scan.startup.mode': 'earliest-offset'" in str(plan_of(cluster, text))


def test_hint_that_would_not_reach_its_table_is_refused(cluster: MiniCluster) -> None:
    ungrouped = UNGROUPED.replace("CREATE TABLE", "CREATE TEMPORARY TABLE").replace(
        "'raw'", "'raw', 'properties.group.id' = 'a'"
    )
    text = changed(GOOD, (SET_OUT, ungrouped), (COUNTS, f"INSERT INTO counts SELECT country, 1 FROM ungrouped {HINT};"))

    with pytest.raises(SqlFileError, match=r"^mine.sql: OPTIONS hints don't reach the TEMPORARY table ungrouped"):
        plan_of(cluster, text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            changed(GOOD, ("-- Late: a", "-- A")),
            "mine.sql, line 1: the comment that it begins with doesn't say `Late: …`",
        ),
        (
            changed(GOOD, (COUNTS, JOINED)),
            "mine.sql: unbounded state: Join(joinType=[InnerJoin]",
        ),
        (
            changed(GOOD, ("EXECUTE STATEMENT SET", UPSERTED.format(key="country")), (COUNTS, RETRACTED)),
            "mine.sql: unbounded state: GroupAggregate(groupBy=[country]",
        ),
        (
            changed(GOOD, (COUNTS, OVER)),
            "mine.sql: unbounded state: OverAggregate(partitionBy=[country]",
        ),
        (
            changed(GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + UPSERTED.format(key="n")), (COUNTS, RETRACTED)),
            "mine.sql: the primary key of up isn't the query's",
        ),
        (
            changed(GOOD, ("Keyed by: country", "Keyed by: minute")),
            "mine.sql, line 25, INSERT INTO counts: the table is keyed by country, but the file's comment says `Key",
        ),
        (
            changed(GOOD, (COUNTS, "INSERT INTO counts SELECT * FROM minutes;")),
            "mine.sql, line 25, INSERT INTO counts: SELECT * into a sink",
        ),
        (
            changed(GOOD, (DEAD_LETTERS, "")),
            "mine.sql: no dead letters of payments: what doesn't decode is lost",
        ),
        (
            changed(GOOD, (SET_OUT, FROM_STEPS), (DEAD_LETTERS, LETTERS_FROM_STEPS.replace("WHERE why", "WHERE id"))),
            "mine.sql: no dead letters of payments: what doesn't decode is lost",
        ),
        (
            changed(GOOD, (SET_OUT, f"CREATE TABLE mine LIKE payments;\n{SET_OUT}"), ("minutes;\nINS", COPIED)),
            "mine.sql: no dead letters of mine: what doesn't decode is lost",
        ),
        (
            changed(GOOD, (DEAD_LETTERS, ""), ("TABLE payments", "TABLE `default_catalog`.default_database.payments")),
            "mine.sql: no dead letters of payments: what doesn't decode is lost",
        ),
        (
            changed(
                GOOD,
                ("Keyed by: country", "Keyed by: minute"),
                ("CREATE TABLE counts", "CREATE TABLE default_catalog.default_database.counts"),
                ("INSERT INTO counts", "INSERT INTO default_database.counts"),
            ),
            "mine.sql, line 25, INSERT INTO default_database.counts: the table is keyed by country, but the file's",
        ),
        (
            changed(GOOD, (SET_OUT, FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, READ_BACK)),
            "mine.sql, line 25, CREATE TABLE up: no dead letters: a record that isn't json stops the job; read",
        ),
        (
            changed(GOOD, (SET_OUT, FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, READ_BACK)),
            "mine.sql, line 25, CREATE TABLE up: a record whose key isn't json stops the job; use 'key.format' = 'raw'",
        ),
        (
            changed(
                GOOD,
                (SET_OUT, CAPTURED),
                (SET_OUT, FOR_AN_HOUR + UPSERTED.format(key="country")),
                (COUNTS, "INSERT INTO up SELECT country, COUNT(*) FROM captured GROUP BY country;"),
            ),
            "mine.sql, line 23, CREATE TABLE captured: no dead letters: a record that isn't debezium-json",
        ),
        (
            changed(GOOD, (SET_OUT, IGNORING), (COUNTS, "INSERT INTO counts SELECT country, 1 FROM ignoring;")),
            "mine.sql, line 23, CREATE TABLE ignoring: no dead letters: a record that isn't json is lost; use 'guarded",
        ),
        (
            changed(GOOD, (SET_OUT, FOR_AN_HOUR + SET_OUT), (COUNTS, MATCHED.format(within=""))),
            "mine.sql: unbounded state: Match(",
        ),
        (
            changed(GOOD, ("FROM minutes;", "FROM minutes WHERE CURRENT_WATERMARK(event_time) IS NULL;"), *WITH_TIME),
            "mine.sql, line 25, INSERT INTO counts: CURRENT_WATERMARK is NULL after a restore",
        ),
    ],
)  # fmt: skip
def test_construct_that_causes_trouble_later_is_reported(text: str, finding: str, cluster: MiniCluster) -> None:
    found = findings_in(cluster, text)

    assert any(each.startswith(finding) for each in found), found


@pytest.mark.parametrize(
    ("insert", "where", "tables"),
    [
        (PER_MINUTE, "GlobalWindowAggregate(", "payments"),
        (PER_SESSION, "WindowAggregate(", "payments"),
        (PER_SESSION.replace("COUNT(*)", "1").partition("\nGROUP")[0] + ";", "WindowTableFunction(", "payments"),
        (
            "INSERT INTO counts SELECT country, COUNT(*) FROM payments GROUP BY country, "
            "TUMBLE(event_time, INTERVAL '1' MINUTE);",
            "GroupWindowAggregate(",
            "payments",
        ),
        (TOP_OF_MINUTE, "WindowRank(", "payments"),
        (FIRST_OF_MINUTE, "WindowDeduplicate(", "payments"),
        (IN_ONE_MINUTE, "WindowJoin(", "orders, payments"),
        (PAID_SOON.format(table="payments", time="event_time"), "IntervalJoin(", "orders, payments"),
        (PAID_SOON.format(table="in_time", time="rowtime"), "IntervalJoin(", "orders"),
        (OVER.replace("rowtime) FROM in_time", "event_time) FROM payments"), "OverAggregate(", "payments"),
        (
            MATCHED.format(within=" WITHIN INTERVAL '1' HOUR")
            .replace("in_time", "(SELECT country, amount_minor, event_time FROM payments)")
            .replace("rowtime", "event_time"),
            "Match(",
            "payments",
        ),
        ("INSERT INTO counts SELECT country, 1 FROM payments ORDER BY event_time;", "TemporalSort(", "payments"),
        (FIRSTS.format(time="event_time"), "Deduplicate(", "payments"),
    ],
)  # fmt: skip
def test_step_that_silently_drops_late_rows_is_reported(
    insert: str, where: str, tables: str, cluster: MiniCluster
) -> None:
    found = findings_in(cluster, changed(GOOD, (SET_OUT, FOR_AN_HOUR + SET_OUT), (COUNTS, insert)))

    late = [each for each in found if each.startswith(f"mine.sql: late rows of {tables} are lost: {where}")]
    assert len(late) == 1, found


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        changed(GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, RETRACTED)),
        changed(GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + "EXECUTE STATEMENT SET"), (COUNTS, OVER)),
        changed(GOOD, (SET_OUT, STATELESS), (COUNTS, "INSERT INTO counts SELECT a, b FROM numbers WHERE b > 5;")),
        changed(GOOD, (SET_OUT, STATELESS), (COUNTS, BY_THE_CLOCK)),
        changed(GOOD, (COUNTS, OWN_STEP)),
        changed(GOOD, (SET_OUT, FROM_STEPS), (DEAD_LETTERS, LETTERS_FROM_STEPS)),
        changed(GOOD, (COUNTS, MATCHED.format(within=" WITHIN INTERVAL '1' HOUR"))),
        changed(GOOD, ("BEGIN", ""), (SET_OUT, "BEGIN STATEMENT SET;")),
        changed(GOOD, (SET_OUT, FOR_AN_HOUR + SET_OUT), (COUNTS, FIRSTS.format(time="PROCTIME()"))),
        changed(GOOD, (COUNTS, PER_MINUTE.replace("COUNT(*)", "amount_minor").partition("\nGROUP")[0] + ";")),
        changed(GOOD, ("MINUTE))\nGROUP BY country,", "MINUTE))\nGROUP BY window_time, country,"), *HOURS),
    ],
    ids=[
        "window",
        "aggregate with a time to live",
        "OVER with a time to live",
        "no watermark, where nothing needs one",
        "processing time",
        "a step called like its table",
        "an error that is made of another and has another name, behind a step with state",
        "a pattern that ends",
        "another way to write a statement set",
        "the first to arrive",
        "windows that nothing is gathered in",
        "windows of windows",
    ],
)
def test_good_pipeline_has_no_finding(text: str, cluster: MiniCluster) -> None:
    assert findings_in(cluster, text) == []


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        ("-- Late: a", "-- Late: each", "same", []),
        ("'topic' = 'counts'", "'topic' = 'counted'", "same", []),
        ("SELECT country, payments FROM", "SELECT country, payments * 2 FROM", "compatible", ["it keeps no state"]),
        (END, "INSERT INTO others SELECT country FROM payments;\nEND;", "compatible", ["sink others is new"]),
        (COUNTS, DEAD_LETTERS + "\n" + COUNTS, "breaks state", ["its uid was ", "something was added or removed"]),
        ("INTERVAL '1' MINUTE", "INTERVAL '5' MINUTE", "breaks state", ["keeps something else now"]),
        ("COUNT(*) AS payments", "SUM(amount_minor) AS payments", "breaks state", ["keeps something else now"]),
        (DEAD_LETTERS, "", "breaks state", ["sink dead_letters_out: it is gone"]),
    ],
)  # fmt: skip
def test_change_is_classified_by_its_effect_on_state(
    old: str, new: str, verdict: str, words: list[str], cluster: MiniCluster
) -> None:
    base = changed(GOOD, ("EXECUTE STATEMENT SET", OTHERS))
    before, after = (plans.text(plan_of(cluster, text)) for text in (base, changed(base, (old, new))))

    changes = plans.compare(before, after)

    assert plans.verdict(changes) == verdict
    reported = "\n".join(change.words for change in changes if change.verdict == verdict)
    assert all(each in reported for each in words), reported


@pytest.mark.parametrize(
    ("was", "is_", "verdict"),
    [("1 h", "2 h", "compatible"), ("0 s", "2 h", "breaks state"), ("1 h", "0 s", "breaks state")],
)
def test_changed_time_to_live_is_compatible_unless_added_or_removed(
    was: str, is_: str, verdict: str, cluster: MiniCluster
) -> None:
    kept_for = changed(
        GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, RETRACTED)
    )

    changes = plans.compare(
        *(plans.text(plan_of(cluster, kept_for.replace("'1 h'", f"'{ttl}'"))) for ttl in (was, is_))
    )

    assert [change.verdict for change in changes] == [verdict]


@pytest.mark.parametrize(
    ("old", "new", "counted"),
    [
        ("SELECT country, payments FROM", "SELECT country, payments * 10 FROM", 30),
        (END, "INSERT INTO others SELECT country FROM payments;\nEND;", 3),
        ("BEGIN", "BEGIN INSERT INTO others SELECT country FROM payments;", None),
    ],
    ids=["another projection", "an insert at the end", "an insert in front"],
)
def test_savepoint_restores_where_the_comparison_predicts(
    old: str, new: str, counted: int | None, cluster: MiniCluster, tmp_path: Path
) -> None:
    before = changed(GOOD, ("EXECUTE STATEMENT SET", OTHERS))
    after = changed(before, (old, new))
    write_records(tmp_path / "payments", [paid("12:00:10"), paid("12:01:10"), paid("12:01:20")])
    job = started(cluster, tmp_path, before, {}, stay_open=True)
    wait_for_rows(tmp_path / "counts", 1)
    savepoint = cluster.stop_with_savepoint(job)
    write_records(tmp_path / "payments", [paid("12:01:30")], first_offset=3)

    verdict = plans.verdict(plans.compare(plans.text(plan_of(cluster, before)), plans.text(plan_of(cluster, after))))

    def restored() -> None:
        from_there = {"execution.state-recovery.path": savepoint}
        started(cluster, tmp_path, after, from_there).get_job_execution_result().result()

    if counted is None:
        assert verdict == "breaks state"
        with pytest.raises(TableException, match="Cannot map checkpoint/savepoint state"):
            restored()
        return
    assert verdict == "compatible"
    restored()
    rows = [json.loads(each.value or b"") for each in read_records(tmp_path / "counts")]
    assert max(row["payments"] for row in rows) == counted


def paid(at: str) -> Record:
    return record(topics.PAYMENTS, payment(at=at))


def started(
    cluster: MiniCluster, folder: Path, text: str, options: dict[str, str], stay_open: bool = False
) -> JobClient:
    """Start the pipeline over files, with one slot."""
    often = {"parallelism.default": "1", "execution.checkpointing.interval": "200 ms"}
    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, **often, **options}))
    return define(tables, over_files_in(pipeline(text), folder, stay_open)).execute().get_job_client()


def wait_for_rows(folder: Path, rows: int) -> None:
    deadline = time.monotonic() + 60
    while len(read_records(folder)) < rows:
        assert time.monotonic() < deadline, f"{rows} rows didn't come in a minute"
        time.sleep(0.1)
