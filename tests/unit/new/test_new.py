"""`ops new` shows and writes its drafts, or reports why it writes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.kafka.topics import DECLINED_RATES, FRAUD_ALERTS, PAYMENTS, REVENUE, UNPAID_ORDERS
from local.settings import CHECKOUT
from ops.__main__ import main
from ops.new.changes import Changes, DraftError
from ops.new.planning import event_changes, job_changes, pipeline_changes, rule_changes
from tests.builders.checkout import copied_checkout
from tests.builders.walk_through import run
from tools.todos import open_decisions


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied_checkout(tmp_path / "checkout")


def texts(checkout: Path) -> dict[Path, bytes]:
    return {
        file: file.read_bytes()
        for file in checkout.rglob("*")
        if file.is_file() and ".venv" not in file.parts and "__pycache__" not in file.parts
    }


def test_check_names_each_decision_that_is_left(checkout: Path) -> None:
    rule_changes(checkout, "many_countries", "udfs/fraud/rulesets/default.toml").write()

    found = list(open_decisions(checkout))

    assert len(found) == 4
    assert all(line.startswith("udfs/fraud/rulesets/default.toml:") for line in found)


def test_plan_is_shown_and_nothing_is_written_before_approval(checkout: Path) -> None:
    before = texts(checkout)

    changes = event_changes(checkout, "refund", "refunds", "order_id", ())

    shown = "\n".join(changes.shown())
    assert texts(checkout) == before
    assert "new     events/refund.py, " in shown
    assert "change  events/__init__.py" in shown
    assert "        +from events.refund import Refund" in shown


@pytest.mark.parametrize(
    ("name", "topic", "expected_text"),
    [
        ("payment", "refunds", "events/__init__.py has the name Payment already"),
        ("refund", "payments", "connectors/kafka/topics.py has a topic payments, or the name PAYMENTS, already"),
        ("refund", "dead.letters", "the name DEAD_LETTERS"),
        ("topic", "refunds", "connectors/kafka/topics.py has the name Topic already"),
        ("base", "refunds", "events/base.py is there already"),
        ("replay", "refunds", "tests/builders/events.py has a builder replay already"),
        ("refund", "clock", "sql/tables/clock.sql is there already"),
    ],
)
def test_event_whose_name_is_taken_is_refused(name: str, topic: str, expected_text: str) -> None:
    with pytest.raises(DraftError, match=expected_text):
        event_changes(CHECKOUT, name, topic, "order_id", ())


@pytest.mark.parametrize("plan", [job_changes, pipeline_changes])
@pytest.mark.parametrize(
    ("name", "expected_text"),
    [
        ("warehouse", "jobs/warehouse.py is there already"),
        ("top_products", "sql/pipelines/top_products.sql is there already"),
        ("fraud", "udfs/fraud is there already"),
        ("pipelines", "jobs/flow.py has a program pipelines, or the name PIPELINES, already"),
    ],
)
def test_program_whose_consumer_group_or_name_is_taken_is_refused(
    plan: Callable[..., Changes], name: str, expected_text: str
) -> None:
    with pytest.raises(DraftError, match=expected_text):
        plan(CHECKOUT, name, PAYMENTS, DECLINED_RATES)


def test_pipeline_whose_input_has_no_default_row_is_refused() -> None:
    with pytest.raises(DraftError, match=r"tests/pipelines/defaults/unpaid-orders.json isn't there"):
        pipeline_changes(CHECKOUT, "reminders", UNPAID_ORDERS, DECLINED_RATES)


def test_topic_has_one_writer() -> None:
    with pytest.raises(DraftError, match="revenue-per-minute is written by revenue_per_minute already"):
        pipeline_changes(CHECKOUT, "second_opinion", PAYMENTS, REVENUE)


def test_field_that_no_sql_type_holds_is_named() -> None:
    with pytest.raises(DraftError, match=r"FraudAlert.features holds what no type of SQL does"):
        pipeline_changes(CHECKOUT, "alerts_per_hour", FRAUD_ALERTS, DECLINED_RATES)


def test_two_drafted_jobs_with_one_input_have_no_block_in_common(checkout: Path) -> None:
    job_changes(checkout, "second_opinions", PAYMENTS, DECLINED_RATES).write()
    job_changes(checkout, "third_opinions", PAYMENTS, UNPAID_ORDERS).write()

    assert run(checkout, "tools.duplicates", "jobs", "udfs", "tests/cluster") == ""


def test_job_whose_input_tests_can_not_build_is_refused() -> None:
    with pytest.raises(DraftError, match=r"tests/builders/events.py has no function that makes a UnpaidOrder"):
        job_changes(CHECKOUT, "reminders", UNPAID_ORDERS, DECLINED_RATES)


def test_missing_place_to_insert_at_stops_before_any_file_is_written(checkout: Path) -> None:
    topics = checkout / "connectors" / "kafka" / "topics.py"
    topics.write_text(topics.read_text("utf-8").replace("TOPICS = (", "ALL_TOPICS = ("), "utf-8")
    before = texts(checkout)

    with pytest.raises(DraftError, match=r"topics.py: the blank line before `TOPICS = \(` isn't found"):
        event_changes(checkout, "refund", "refunds", "order_id", ())

    assert texts(checkout) == before


def test_rule_is_added_to_any_ruleset_file_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes((CHECKOUT / "udfs/fraud/rulesets/default.toml").read_bytes())

    rule_changes(CHECKOUT, "many_countries", str(file)).write()

    assert 'name = "many_countries"' in file.read_text("utf-8")
    with pytest.raises(DraftError, match="has a rule many_countries already"):
        rule_changes(CHECKOUT, "many_countries", str(file))


def test_file_that_is_no_ruleset_is_not_added_to(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("alert_score = 50\n")

    with pytest.raises(DraftError, match="is no ruleset, so nothing is added to it"):
        rule_changes(CHECKOUT, "many_countries", str(file))


def test_missing_file_to_add_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match=r"jobs/flow.py can't be read, but is to be added to"):
        Changes(tmp_path).insert("jobs/flow.py", "the beginning", "^", "")


@pytest.mark.parametrize(
    ("arguments", "expected_text"),
    [
        ("event Refund --topic refunds --key order_id", "'Refund' is no name; write lower-case words"),
        ("event class --topic refunds --key order_id", "'class' is no name"),
        ("event refund --topic Refunds --key order_id", "'Refunds' is no topic"),
        ("event refund --topic refunds --key event_time", "event_time is a field of every event already"),
        ("event refund --topic refunds --key order_id --field amount=Money", "write NAME=TYPE with one of Identifier"),
        ("job refunds --reads refunds --writes dead-letters", "has no topic 'refunds', but orders, payments"),
        ("rule many_countries --file nowhere.toml", "'nowhere.toml' does not exist"),
    ],
)
def test_invalid_name_is_refused_with_what_is_valid(arguments: str, expected_text: str) -> None:
    result = CliRunner().invoke(main, ["new", *arguments.split(), "--dry-run"])

    assert result.exit_code != 0
    assert expected_text in " ".join(result.output.split())


def test_three_next_commands_follow_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes((CHECKOUT / "udfs/fraud/rulesets/default.toml").read_bytes())
    command = ["new", "rule", "many_countries", "--file", str(file)]

    planned, written = (CliRunner().invoke(main, [*command, *more]).output for more in (["--dry-run"], []))

    assert planned.splitlines()[-1] == "nothing was written"
    assert planned.splitlines()[0] == written.splitlines()[0] == f"change  {file}"
    assert [line.removeprefix("  .venv/bin/python -m ops ") for line in written.splitlines()[-3:]] == [
        "rulesets facts",
        f"rulesets publish {file} --dry-run",
        f"rulesets publish {file}",
    ]
