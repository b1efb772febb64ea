"""The README is short, and its example rule and its picture are true."""

import re

from connectors.kafka.topics import TOPICS
from jobs import flow
from local.settings import CHECKOUT
from ops.jobs import submit
from tests.builders.events import ruleset
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import Rules

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def block(containing: str) -> str:
    """The fenced block with that text, without its language."""
    fenced = README.split("```")[1::2]
    return next(each.partition("\n")[2] for each in fenced if containing in each)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_example_rule_is_valid() -> None:
    file = ruleset_files.parse("alert_score = 50\nquiet_minutes = 30\n" + block("[[rule]]"))

    rules = Rules(ruleset(*file.rule), payment_features(), "EUR")

    assert len(rules.conditions) == 1


def test_the_picture_has_every_topic_and_every_job_and_nothing_else() -> None:
    picture = block("payment service ─▶ payments")
    # Names of the picture: of several words, or known. A star stands for those that begin so.
    words = set(re.findall(r"[a-z]+(?:[-_.][a-z]+)+(?:\.\*)?|[a-z]+\.\*|[a-z]+", picture))
    names = {topic.name for topic in TOPICS} | {box.name for box in flow.JOBS} | {flow.NOTIFIER.name}
    found = {name for name in names if name in words or f"{name.partition('.')[0]}.*" in words}

    assert found == names
    assert {word for word in words if re.search("[-_.]", word)} - {"db-changes.*", "e-mail"} <= names


def test_the_jobs_of_the_picture_are_those_that_can_be_submitted() -> None:
    assert {box.name for box in flow.JOBS} | {"sql_pipeline"} == set(submit.names())


def test_every_box_of_the_picture_reads_what_others_write_and_every_topic_is_written_by_one() -> None:
    written = [topic.name for box in flow.BOXES for topic in box.writes]
    read = {topic.name for box in flow.BOXES for topic in box.reads}

    assert read <= set(written)
    assert len(written) == len(set(written))
