"""Exceptions of Flink become a reason in its words, and advice."""

import pytest
from pyflink.util.exceptions import TableException

from jobs.flink_errors import advice, reason, root_cause


def thrown(text: str) -> TableException:
    return TableException(text)


RULE = """\
java.lang.RuntimeException: Error while applying rule StreamPhysicalWindow(in:LOGICAL), args [rel#1:Scan
more of it]
\tat org.apache.calcite.plan.volcano.VolcanoRuleCall.onMatch(VolcanoRuleCall.java:250)
\t... 22 more
Caused by: org.apache.flink.table.api.ValidationException: The window function requires the timecol is a time attribute.
\tat org.apache.flink.Planner.plan(Planner.java:1)
"""
OPTIONS = """\
org.apache.flink.ValidationException: Unable to create a sink for writing table 'default_catalog.default_database.x'.

Table options are:

'password'='secret'
\tat org.apache.flink.table.factories.FactoryUtil.createDynamicTableSink(FactoryUtil.java:291)
Caused by: org.apache.flink.table.api.ValidationException: Unsupported options: strange

Supported options:

connector
\tat org.apache.flink.table.factories.FactoryUtil.validate(FactoryUtil.java:1)
"""
PLAN = """\
org.apache.flink.table.api.TableException: Cannot generate a valid execution plan for the given query:

FlinkLogicalSink(table=[default_catalog.default_database.x], fields=[a])
+- FlinkLogicalCalc(select=[a])

This exception indicates that the query uses an unsupported SQL feature.
Please check the documentation.
\tat org.apache.flink.table.planner.Planner.plan(Planner.java:1)
"""

PYTHON = """\
org.apache.flink.table.api.ValidationException: Cannot instantiate user-defined function 'f'.
\tat org.apache.flink.table.functions.Helper.make(Helper.java:1)
Caused by: py4j.Py4JException: An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):
  File "java_gateway.py", line 2466, in _call_proxy
    return_value = getattr(self.pool[obj_id], method)(*params)
ModuleNotFoundError: No module named 'no'

\tat py4j.Protocol.getReturnValue(Protocol.java:1)
"""  # noqa: E501 - as py4j writes it


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (RULE, "The window function requires the timecol is a time attribute."),
        (OPTIONS, "Unable to create a sink for writing table 'x'. Unsupported options: strange"),
        (
            PLAN,
            "Cannot generate a valid execution plan for the given query: This exception indicates that the query uses "
            "an unsupported SQL feature. Please check the documentation.",
        ),
        (PYTHON, "Cannot instantiate user-defined function 'f'. ModuleNotFoundError: No module named 'no'"),
        ("java.lang.StackOverflowError\n\tat a.B.c(D.java:1)\n", "StackOverflowError"),
        (
            "org.apache.flink.table.api.TableException: `default_catalog`.`default_database`.`x` is gone\n"
            "Caused by: java.io.IOException: is gone",
            "`x` is gone",
        ),
    ],
)
def test_reason_is_that_of_flink_without_frames_options_and_plans(trace: str, words: str) -> None:
    assert reason(thrown(trace)) == words


def test_cause_of_a_failed_job_is_the_innermost() -> None:
    assert (
        root_cause(thrown("a.B: Job execution failed.\n\tat a.B.c(D.java:1)\nCaused by: a.C: no room")) == "C: no room"
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("Table sink 'x' doesn't support consuming update and delete changes which is", "'connector' = 'upsert-kafka'"),
        ("The window function requires the timecol is a time attribute type, but is X", "needs WATERMARK FOR"),
        ("Object 'paymentz' not found", "did you mean payments?"),
        ("Source table 'paymentz' of the LIKE clause not found in the catalog", "did you mean payments?"),
        ("StackOverflowError", "cut it into views"),
        (
            'the return value of "org.apache.calcite.sql.parser.SqlParseException.getMessage()" is null',
            "cut it into views",
        ),
    ],
)
def test_advice_is_added_if_the_reason_has_none(words: str, what: str) -> None:
    assert what in advice(words)


def test_error_without_advice_stays_as_it_is() -> None:
    assert advice("Something else") == ""
