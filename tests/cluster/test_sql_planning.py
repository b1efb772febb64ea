"""What is told of a pipeline before it runs: errors with their place, habits that will hurt, what changes do."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import JobClient
from pyflink.table import StreamTableEnvironment
from pyflink.util.exceptions import TableException

import sql
from connectors import topics
from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling, planned
from local.settings import CHECKOUT
from ops.pipelines import Planned, planned_pipelines, problems
from sql import SqlFileError, lint, plans
from sql.pipeline import Pipeline, PipelineFile, find, load
from tests.builders import payment
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import over_files_in, record

GOOD = """\
-- One row per: minute and country. Keyed by: country.
-- Late: never.
CREATE TABLE counts (country STRING, payments BIGINT) WITH (
    'connector' = 'kafka',
    'topic' = 'counts',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'key.format' = 'raw',
    'key.fields' = 'country',
    'value.format' = 'json'
);
CREATE TEMPORARY VIEW minutes AS
SELECT country, COUNT(*) AS payments
FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY country, window_start, window_end;
EXECUTE STATEMENT SET
BEGIN
INSERT INTO counts SELECT country, payments FROM minutes;
INSERT INTO dead_letters_out (event_id, reason) SELECT event_id, reason FROM dead_letters_of_payments;
END;
"""
COUNTS = "INSERT INTO counts SELECT country, payments FROM minutes;"
END = "END;"
DEAD_LETTERS = "INSERT INTO dead_letters_out (event_id, reason) SELECT event_id, reason FROM dead_letters_of_payments;"
RETRACTED = "INSERT INTO up SELECT country, COUNT(*) FROM payments WHERE country IS NOT NULL GROUP BY country;"
JOINED = "INSERT INTO counts SELECT o.currency, 1 FROM payments AS p JOIN orders AS o USING (order_id);"
COUNT_UNMARKED = "INSERT INTO counts SELECT a, 1 FROM unmarked;"
OTHERS = "CREATE TABLE others (country STRING) WITH ('connector' = 'blackhole');\nEXECUTE STATEMENT SET"
UNMARKED = "CREATE TABLE unmarked (a STRING) WITH ('connector' = 'datagen');\nCREATE TEMP"
OVER = "INSERT INTO counts SELECT country, COUNT(*) OVER (PARTITION BY country ORDER BY event_time) FROM payments;"
FOR_AN_HOUR = "SET 'table.exec.state.ttl' = '1 h';\n"
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


def pipeline(text: str) -> Pipeline:
    return load(PipelineFile("mine", "mine.sql", text, False), filling("mine", Settings()))


def plan_of(cluster: MiniCluster, text: str) -> dict[str, Any]:
    return planned(cluster.environment(SQL_OPTIONS), pipeline(text))


def changed(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def test_every_pipeline_of_ours_can_be_planned_and_has_nothing_against_it(
    cluster: MiniCluster,
) -> None:
    # Not in the order in which the plans were kept, on which nothing may depend.
    files = [find(name) for name in reversed(sql.names("pipelines"))]

    outcomes = list(planned_pipelines(files, lambda: cluster.environment(SQL_OPTIONS)))

    found = {
        file.name: problems(file, outcome) if isinstance(outcome, Planned) else [str(outcome)]
        for file, outcome in outcomes
    }
    assert found == {name: [] for name in sql.names("pipelines")}


@pytest.mark.parametrize("name", sql.names("pipelines"))
def test_a_kept_plan_holds_no_secret_no_address_and_no_path(name: str) -> None:
    text = (CHECKOUT / "sql" / "plans" / f"{name}.json").read_text("utf-8")

    assert not re.search(r"password|properties\.|bootstrap|\d+\.\d+\.\d+\.\d+|:\d{4,5}\b", text)
    assert not re.search(r"[\"'](/|[a-z]+://)", text)
    assert not any(len(value) > 8 and value in text for value in Settings().as_variables().values())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "SELECT country, COUNT(*) AS payments\n",
            "SELECT country,\n    COUNT(nothing) AS payments\n",
            "mine.sql, line 13, column 11, in CREATE TEMPORARY VIEW minutes: Column 'nothing' not found in any table",
        ),
        (
            "GROUP BY country,",
            "GRUOP BY country,",
            'mine.sql, line 14, column 7, in CREATE TEMPORARY VIEW minutes: SQL parse failed. Encountered "BY"',
        ),
        (
            "TABLE payments,",
            "TABLE paymentz,",
            "mine.sql, line 13, column 25, in CREATE TEMPORARY VIEW minutes: Object 'paymentz' not found; the pipeline "
            "doesn't create it, and neither sql/tables nor sql/views has paymentz.sql; did you mean payments?",
        ),
        (
            "SELECT country, payments FROM minutes",
            "\nSELECT country,\nFOO(payments) FROM minutes",
            "mine.sql, line 19, column 1, in INSERT INTO counts: No match found for function signature FOO(<NUMERIC>)",
        ),
        (
            "'key.format' = 'raw',",
            "'key.format' = 'raw',\n    'strange' = 's3cret',",
            "mine.sql, line 3, CREATE TABLE counts: Unable to create a sink for writing table 'counts'. Unsupported "
            "options found for 'kafka'. Unsupported options: strange",
        ),
    ],
)
def test_an_error_is_told_with_file_line_and_statement(old: str, new: str, words: str, cluster: MiniCluster) -> None:
    with pytest.raises(SqlFileError) as told:
        plan_of(cluster, changed(GOOD, (old, new)))

    assert " ".join(str(told.value).split()) == words


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            changed(GOOD, ("-- Late: never.\n", "")),
            "mine.sql, line 1: the comment that it begins with doesn't say `Late: …`",
        ),
        (
            changed(GOOD, ("BEGIN", f"BEGIN {COUNT_UNMARKED}"), ("CREATE TEMP", UNMARKED)),
            "mine.sql, line 11, CREATE TABLE unmarked: a source without a watermark",
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
            "mine.sql, line 17, INSERT INTO counts: the table is keyed by country, but the file's comment says `Key",
        ),
        (
            changed(GOOD, (COUNTS, "INSERT INTO counts SELECT * FROM minutes;")),
            "mine.sql, line 17, INSERT INTO counts: SELECT * into a sink",
        ),
        (
            changed(GOOD, (DEAD_LETTERS, "")),
            "mine.sql: no dead letters of payments: what doesn't decode is lost",
        ),
    ],
)  # fmt: skip
def test_what_will_hurt_later_is_told(text: str, finding: str, cluster: MiniCluster) -> None:
    found = lint.findings(pipeline(text), plans.read(plan_of(cluster, text)))

    assert any(each.startswith(finding) for each in found), found


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        changed(GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, RETRACTED)),
        changed(GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + "EXECUTE STATEMENT SET"), (COUNTS, OVER)),
    ],
    ids=["window", "aggregate with a time to live", "OVER with a time to live"],
)
def test_a_good_pipeline_has_nothing_against_it(text: str, cluster: MiniCluster) -> None:
    assert lint.findings(pipeline(text), plans.read(plan_of(cluster, text))) == []


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        ("-- Late: never.", "-- Late: never, we hope.", "same", []),
        ("'topic' = 'counts'", "'topic' = 'counted'", "same", []),
        ("SELECT country, payments FROM", "SELECT country, payments * 2 FROM", "compatible", ["it keeps no state"]),
        (END, "INSERT INTO others SELECT country FROM payments;\nEND;", "compatible", ["sink others is new"]),
        (COUNTS, DEAD_LETTERS + "\n" + COUNTS, "breaks state", ["its uid was 5_", "something was added or removed"]),
        ("INTERVAL '1' MINUTE", "INTERVAL '5' MINUTE", "breaks state", ["keeps something else now"]),
        ("COUNT(*) AS payments", "SUM(amount_minor) AS payments", "breaks state", ["keeps something else now"]),
        (DEAD_LETTERS, "", "breaks state", ["sink dead_letters_out: it is gone"]),
    ],
)  # fmt: skip
def test_a_change_is_judged_by_what_it_does_to_state(
    old: str, new: str, verdict: str, words: list[str], cluster: MiniCluster
) -> None:
    base = changed(GOOD, ("EXECUTE STATEMENT SET", OTHERS))
    before, after = plan_of(cluster, base), plan_of(cluster, changed(base, (old, new)))

    changes = plans.compare(before, after)

    assert plans.verdict(changes) == verdict
    told = "\n".join(change.words for change in changes if change.verdict == verdict)
    assert all(each in told for each in words), told


@pytest.mark.parametrize(
    ("was", "is_", "verdict"),
    [("1 h", "2 h", "compatible"), ("0 s", "2 h", "breaks state"), ("1 h", "0 s", "breaks state")],
)
def test_another_time_to_live_is_compatible_but_not_with_none(
    was: str, is_: str, verdict: str, cluster: MiniCluster
) -> None:
    kept_for = changed(
        GOOD, ("EXECUTE STATEMENT SET", FOR_AN_HOUR + UPSERTED.format(key="country")), (COUNTS, RETRACTED)
    )

    changes = plans.compare(*(plan_of(cluster, kept_for.replace("'1 h'", f"'{ttl}'")) for ttl in (was, is_)))

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
def test_a_savepoint_restores_where_the_comparison_says_so(
    old: str, new: str, counted: int | None, cluster: MiniCluster, tmp_path: Path
) -> None:
    before = changed(GOOD, ("EXECUTE STATEMENT SET", OTHERS))
    after = changed(before, (old, new))
    write_records(tmp_path / "payments", [paid("12:00:10"), paid("12:01:10"), paid("12:01:20")])
    job = started(cluster, tmp_path, before, {}, stay_open=True)
    wait_for_rows(tmp_path / "counts", 1)
    savepoint = cluster.stop_with_savepoint(job)
    write_records(tmp_path / "payments", [paid("12:01:30")], first_offset=3)

    verdict = plans.verdict(plans.compare(plan_of(cluster, before), plan_of(cluster, after)))

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
    """The pipeline over files, with one slot."""
    often = {"parallelism.default": "1", "execution.checkpointing.interval": "200 ms"}
    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, **often, **options}))
    return define(tables, over_files_in(pipeline(text), folder, stay_open)).execute().get_job_client()


def wait_for_rows(folder: Path, rows: int) -> None:
    deadline = time.monotonic() + 60
    while len(read_records(folder)) < rows:
        assert time.monotonic() < deadline, f"{rows} rows didn't come in a minute"
        time.sleep(0.1)
