"""The README is short, its example rule is valid, and the data flow that it shows holds together."""

from jobs import flow
from local.settings import CHECKOUT
from ops.jobs import submit
from tests.builders.events import ruleset
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import Rules

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def block(containing: str) -> str:
    """Return the fenced block with that text, without its language."""
    fenced = README.split("```")[1::2]
    return next(each.partition("\n")[2] for each in fenced if containing in each)


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_example_rule_is_valid() -> None:
    file = ruleset_files.parse("alert_score = 50\nquiet_minutes = 30\n" + block("[[rule]]"))

    rules = Rules(ruleset(*file.rule), payment_features(), "EUR")

    assert len(rules.conditions) == 1


def test_jobs_of_the_data_flow_are_those_that_can_be_submitted() -> None:
    assert {program.name for program in flow.JOBS} | {"sql_pipeline"} == set(submit.submittable_jobs())


def test_programs_read_what_others_write_and_every_topic_has_one_writer() -> None:
    written = [topic.name for program in flow.PROGRAMS for topic in program.writes]
    read = {topic.name for program in flow.PROGRAMS for topic in program.reads}

    assert read <= set(written)
    assert len(written) == len(set(written))
