"""The filter in the JVM: it never holds back a payment that a rule may match, and nearly all others."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from py4j.protocol import Py4JJavaError
from pyflink import java_gateway
from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from connectors.kafka import topics
from events import Event, Payment
from jobs import fraud_detection
from tests.builders.events import payment, rule, ruleset
from tests.cluster.jvm.followed_rulesets import FollowedRulesets
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import write_records
from tests.cluster.running_query import get_json
from tests.cluster.topic_tables import create_table, record
from udfs.conditions.compiler import compiled
from udfs.conditions.facts import PLAIN, Value
from udfs.conditions.grammar import parse_condition
from udfs.conditions.tree import (
    Combination,
    Comparison,
    Condition,
    IsNull,
    IsTrue,
    Name,
    Number,
    OneOf,
    Product,
    Term,
)
from udfs.fraud.features import payment_features
from udfs.fraud.rule_filter import program
from udfs.fraud.rules import facts, filter_facts
from udfs.fraud.ruleset_sources import FixedRulesets

pytestmark = pytest.mark.usefixtures("cluster")

FEATURES = payment_features()
FACTS = filter_facts(FEATURES)
NUMBERS = ("base_amount_minor", "count_1m", "sum_1m", "avg_24h")
TEXTS = ("country", "previous_country", "channel")
FLAG = "status"
"""Payments have no flags yet, so a text stands in for one."""

Values = Mapping[str, Value]

terms: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from(NUMBERS).map(Name)
    | (st.integers(0, 9) | st.floats(0, 2.0**53) | st.sampled_from([2.0**53, 2.0**53 + 2, 2.0**64])).map(
        lambda value: Number(float(value), PLAIN, str(value))
    ),
    lambda inner: st.builds(Product, inner, st.sampled_from(["*", "/"]), inner),
    max_leaves=4,
)
words = st.sampled_from(["DE", "FR", "", "Å", "\U0001f600", "\ufffd", "a\0b", "d" * 40])
atoms: st.SearchStrategy[Condition] = (
    st.builds(Comparison, terms, st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), terms)
    | st.builds(OneOf, st.sampled_from(TEXTS), st.lists(words, min_size=1).map(tuple), st.none(), st.booleans())
    | st.builds(OneOf, st.sampled_from(TEXTS), st.just(()), st.sampled_from(TEXTS), st.booleans())
    | st.builds(IsNull, st.sampled_from((*NUMBERS, *TEXTS)), st.booleans())
    | st.builds(IsTrue, st.just(FLAG), st.booleans())
)
conditions = st.recursive(
    atoms,
    lambda inner: st.builds(
        Combination, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
longs = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1])
values = st.fixed_dictionaries(
    {name: st.none() | longs | st.floats() | st.sampled_from([0.0, -0.0, math.inf]) for name in NUMBERS}
    | {name: st.none() | words for name in TEXTS}
    | {FLAG: st.none() | st.booleans()}
)
plain_values = st.fixed_dictionaries(
    {name: st.none() | st.integers(1, 9) | st.sampled_from([0.5, 2.5]) for name in NUMBERS}
    | {name: st.none() | st.sampled_from(["DE", "FR", ""]) for name in TEXTS}
    | {FLAG: st.none() | st.booleans()}
)


def rules_match(condition: Condition, facts: Values) -> bool:
    """Return whether the rules match in Python."""
    return compiled([condition], tuple(facts))(*facts.values()) == [0]


def filter_passes(condition: Condition, facts: Values) -> bool:
    """Return whether the filter passes the payment."""
    return evaluate(program([condition], FACTS), facts)


def evaluate(text: str, facts: Values) -> bool:
    gateway = java_gateway.get_gateway()
    text_data = gateway.jvm.org.apache.flink.table.data.StringData
    array = gateway.new_array(gateway.jvm.Object, len(FACTS))
    for name, value in facts.items():
        array[FACTS.index(name)] = text_data.fromString(value) if isinstance(value, str) else value
    return bool(gateway.jvm.millrace.rules.Program.parse(text).mayHold(array))


often = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def compared(left: Term, operator: Any, right: Term) -> Comparison:
    return Comparison(left, operator, right)


AMOUNT, COUNT = Name("base_amount_minor"), Name("count_1m")


@often
@example(compared(AMOUNT, ">", Number(2.0**53, PLAIN, "")), {"base_amount_minor": 2**53 + 1})
@example(compared(AMOUNT, "=", COUNT), {"base_amount_minor": 2**53 + 1, "count_1m": 2**53 + 1})
@example(compared(AMOUNT, "!=", COUNT), {"base_amount_minor": 2**53 + 1, "count_1m": float(2**53)})
@example(
    compared(Product(AMOUNT, "*", COUNT), ">", Number(1, PLAIN, "")), {"base_amount_minor": 2**32, "count_1m": 2**32}
)
@example(compared(Product(AMOUNT, "/", COUNT), ">", Number(1, PLAIN, "")), {"base_amount_minor": 1, "count_1m": -0.0})
@example(compared(Product(AMOUNT, "/", COUNT), "<", Number(1, PLAIN, "")), {"base_amount_minor": -1.0, "count_1m": 0})
@example(OneOf("country", ("\ufffd",), None, negated=True), {"country": "\ufffd"})
@given(conditions, values)
def test_filter_passes_every_payment_that_python_finds(condition: Condition, facts: Values) -> None:
    assert filter_passes(condition, facts) or not rules_match(condition, facts)


@often
@given(conditions, plain_values)
def test_filter_passes_no_other_payment_with_plain_values(condition: Condition, facts: Values) -> None:
    sure = not _unsure(condition)
    assert filter_passes(condition, facts) is rules_match(condition, facts) or not sure


def _unsure(condition: Condition) -> bool:
    """Return whether numbers so large, or a text so odd, can't be decided by a double or by bytes."""
    match condition:
        case Combination(_, parts):
            return any(map(_unsure, parts))
        case Comparison(left, _, right):
            return _large(left) or _large(right)
        case OneOf(_, texts, _, _):
            return "\ufffd" in texts
    return False


def _large(term: Term) -> bool:
    match term:
        case Number(value):
            return value > 1000 or value < 1e-3
        case Product(left, _, right):
            return _large(left) or _large(right)
    return False


@pytest.mark.parametrize(
    ("condition", "values", "passes"),
    [
        ("count_10m >= 4", {"count_10m": 4}, True),
        ("count_10m >= 4", {"count_10m": 3}, False),
        ("count_10m >= 4", {}, False),
        ("not count_10m >= 4", {}, False),
        ("4 <= count_10m", {"count_10m": 4}, True),
        ("km_from_previous / seconds_from_previous > 900 km/h",
         {"km_from_previous": 1.0, "seconds_from_previous": 0.0}, True),
        ("km_from_previous / seconds_from_previous > 900 km/h",
         {"km_from_previous": 800.0, "seconds_from_previous": 3600.0}, False),
        ("base_amount_minor > 5 * avg_24h", {"base_amount_minor": 50, "avg_24h": 10.0}, False),
        ("country not in ('DE', 'FR')", {"country": "ES"}, True),
        ("country not in ('DE', 'FR')", {}, False),
        ("country != previous_country", {"country": "ES"}, False),
        ("country = previous_country", {"country": "ES", "previous_country": "ES"}, True),
        ("previous_country is null", {}, True),
    ],
)  # fmt: skip
def test_filter_evaluates_a_condition_as_written(condition: str, values: Values, passes: bool) -> None:
    assert filter_passes(parse_condition(condition, facts(FEATURES), "EUR"), values) is passes


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "{}",
        '{"facts": 3, "when": {"almost": [1, 2]}}',
        '{"facts": 3, "when": {"missing": 3}}',
        '{"facts": 3, "when": {"or": [{"<": [{"fact": 1}, {"root": 2}]}]}}',
        '{"facts": 3, "when": {"in": [1, 5]}}',
        '{"facts": 3, "when": {"in": []}}',
    ],
)
def test_filter_with_an_unreadable_program_passes_everything(text: str) -> None:
    assert evaluate(text, {})


class Registry:
    """A job's filter, filled with rules as by Python, and asked as by SQL."""

    def __init__(self) -> None:
        self._gateway = java_gateway.get_gateway()
        self.filters = self._gateway.jvm.millrace.rules.Filters
        self.filter_id = uuid4().hex
        self.filter = self.filters.acquire(self.filter_id)

    def open(self, *, at_least: int | None = None) -> int:
        """Add a follower, with a version 1 if `at_least` is given."""
        follower = int(self.filters.open(self.filter_id))
        if at_least is not None:
            self.put(follower, 1, 0, at_least)
        return follower

    def put(self, follower: int, version: int, effective_from: int, at_least: int) -> None:
        """Add a version that passes amounts of at least `at_least`."""
        text = f'{{"facts": 1, "when": {{">=": [{{"fact": 0}}, {{"number": {at_least}}}]}}}}'
        self.filters.put(self.filter_id, follower, effective_from, version, text)

    def ready(self, follower: int) -> None:
        self.filters.ready(self.filter_id, follower)

    def failed(self, follower: int) -> None:
        self.filters.failed(self.filter_id, follower)

    def close(self, follower: int) -> None:
        self.filters.close(self.filter_id, follower)

    def passes(self, event_time: int, amount: int) -> bool:
        """Return whether such a payment may break a rule."""
        array = self._gateway.new_array(self._gateway.jvm.Object, 1)
        array[0] = amount
        return bool(self.filter.mayBreak(event_time, array))


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.filters.release(registry.filter_id)


def test_version_in_force_at_the_event_time_decides(registry: Registry) -> None:
    follower = registry.open()
    for version, effective_from, at_least in ((1, 1000, 10), (4, 3000, 40), (2, 2000, 20), (3, 2000, 30), (4, 0, 0)):
        registry.put(follower, version, effective_from, at_least)
    registry.ready(follower)

    payments = [(999, 0), (1999, 9), (1000, 10), (2000, 29), (2999, 30), (9999, 39)]
    assert [registry.passes(*each) for each in payments] == [True, False, True, False, True, False]


def test_unfilled_filter_passes_everything(registry: Registry) -> None:
    assert registry.passes(1000, 0)


def test_filter_passes_everything_unless_each_follower_has_all_versions(registry: Registry) -> None:
    found: dict[str, bool] = {}

    first = registry.open(at_least=10)
    found["while the first loads"] = registry.passes(1000, 9)
    registry.ready(first)
    found["once it is ready"] = registry.passes(1000, 9)
    second = registry.open(at_least=10)
    found["while the second loads"] = registry.passes(1000, 9)
    registry.ready(second)
    found["once both are ready"] = registry.passes(1000, 9)
    registry.failed(first)
    found["when the first has failed"] = registry.passes(1000, 9)
    registry.close(first)
    found["when it has ended"] = registry.passes(1000, 9)
    registry.close(second)
    found["when both have ended"] = registry.passes(1000, 9)

    assert found == {
        "while the first loads": True,
        "once it is ready": False,
        "while the second loads": True,
        "once both are ready": False,
        "when the first has failed": True,
        "when it has ended": False,
        "when both have ended": True,
    }


def test_follower_of_a_failed_task_has_no_effect_on_the_next_task(registry: Registry) -> None:
    left_behind = registry.open(at_least=10)
    registry.ready(left_behind)
    registry.filters.release(registry.filter_id)

    registry.filter = registry.filters.acquire(registry.filter_id)
    registry.put(left_behind, 2, 0, 99)
    follower = registry.open(at_least=10)
    registry.ready(follower)
    registry.failed(left_behind)

    assert [registry.passes(1000, amount) for amount in (9, 10)] == [False, True]


def test_filter_is_forgotten_with_its_last_user(registry: Registry) -> None:
    filters, others = registry.filters, registry.filters.size() - 1

    follower = registry.open()
    filters.acquire(registry.filter_id)
    filters.release(registry.filter_id)
    assert filters.size() == others + 1
    filters.release(registry.filter_id)
    assert filters.size() == others
    registry.close(follower)

    assert filters.size() == others


@pytest.fixture
def functions(table_environment: StreamTableEnvironment) -> StreamTableEnvironment:
    table_environment.execute_sql(
        "CREATE TEMPORARY SYSTEM FUNCTION may_break_rules AS 'millrace.rules.MayBreakRules' LANGUAGE JAVA"
    )
    return table_environment


@pytest.mark.parametrize(
    "arguments", ["'f'", "UPPER('f'), TO_TIMESTAMP_LTZ(0, 3), 1", "'f', 5, 1", "'f', TIMESTAMP '2026-03-01 00:00:00'"]
)
def test_wrong_argument_fails_at_planning(functions: StreamTableEnvironment, arguments: str) -> None:
    with pytest.raises(Py4JJavaError, match="may_break_rules needs a filter's id"):
        functions.sql_query(f"SELECT may_break_rules({arguments})")


class Job:
    """The fraud job over payments from a pipe, until the block is left."""

    def __init__(self, cluster: MiniCluster, folder: Path, rulesets: FollowedRulesets) -> None:
        self._rest_port = cluster.rest_port
        self._payments = folder / "payments"
        self._payments.mkdir()
        os.mkfifo(self._payments / "0.records")
        self._pipe: int | None = os.open(self._payments / "0.records", os.O_RDWR)
        self._sent = 0
        tables = StreamTableEnvironment.create(
            cluster.environment(fraud_detection.OPTIONS | {"parallelism.default": "1"})
        )
        create_table(tables, "payments", self._payments, stay_open=True)
        stream = fraud_detection.define(tables, rulesets, "EUR")
        encoded = stream.map(lambda row: msgspec.json.encode(list(row)).decode(), Types.STRING())
        self._rows = encoded.execute_and_collect()

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._rows.close()

    def end(self) -> None:
        """Close the pipe; the job still waits for payments."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def send(self, *payments: Event) -> None:
        """Send payments to the job."""
        write_records(self._payments, [record(topics.PAYMENTS, each) for each in payments], first_offset=self._sent)
        self._sent += len(payments)

    def filtered(self) -> int:
        """Return the metric of the only running job."""
        root = f"http://127.0.0.1:{self._rest_port}/jobs"
        [job] = [each["id"] for each in get_json(root)["jobs"] if each["status"] == "RUNNING"]
        found = 0
        for vertex in get_json(f"{root}/{job}")["vertices"]:
            metrics = f"{root}/{job}/vertices/{vertex['id']}/subtasks/metrics"
            for name in [each["id"] for each in get_json(metrics) if each["id"].endswith(".filtered")]:
                found += sum(int(each["sum"]) for each in get_json(f"{metrics}?get={name}&agg=sum"))
        return found

    def next_alert(self) -> Any:
        """Wait for the next alert that opens a case."""
        while True:
            _, _, value, _ = msgspec.json.decode(next(self._rows), type=tuple[str, bytes, bytes, int])
            alert = msgspec.json.decode(value)
            if alert["event_type"] == "fraud_alert.opened":
                return alert


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


LARGE = rule("large", "base_amount_minor > 500.00 EUR")
MEDIUM = rule("medium", "base_amount_minor > 50.00 EUR")


def small_payments(hour: int, amount: float = 40) -> list[Payment]:
    return [payment("small", f"{hour}:00:{second:02}", amount) for second in range(30)]


def test_python_gets_only_payments_that_may_break_a_present_or_later_rule(cluster: MiniCluster, tmp_path: Path) -> None:
    rulesets = FollowedRulesets(tmp_path / "rulesets", ruleset(LARGE))
    with Job(cluster, tmp_path, rulesets) as job:
        job.send(*small_payments(10), payment("c1", "10:01:00", 600))
        assert job.next_alert()["payment_id"] == "c1@10:01:00"
        assert rulesets.evaluated() == 1
        wait_for(lambda: job.filtered() == 30, "the metric shows how many payments were held back")

        rulesets.publish(ruleset(MEDIUM, version=2, at="12:00:00"))
        wait_for(lambda: rulesets.reached("2 taken"), "version 2 is taken in")
        job.send(*small_payments(11, 60), payment("c2", "12:01:00", 60))

        alert = job.next_alert()
        assert (alert["payment_id"], alert["ruleset_version"]) == ("c2@12:01:00", 2)
        assert rulesets.evaluated() == 2


def test_payment_of_no_rule_reaches_python_once_following_versions_fails(cluster: MiniCluster, tmp_path: Path) -> None:
    rulesets = FollowedRulesets(tmp_path / "rulesets", ruleset(LARGE))
    with Job(cluster, tmp_path, rulesets) as job:
        job.send(*small_payments(10), payment("c1", "10:01:00", 600))
        job.next_alert()
        rulesets.end()
        wait_for(lambda: rulesets.reached("ended"), "following ends")

        job.send(payment("c1", "10:02:00", 5))
        job.end()

        with pytest.raises(Py4JJavaError, match="the folder can't be followed any more"):
            job.next_alert()


def test_stopped_job_leaves_nothing_in_the_jvm(cluster: MiniCluster, tmp_path: Path) -> None:
    filters = java_gateway.get_gateway().jvm.millrace.rules.Filters
    before = filters.size()

    rulesets = FollowedRulesets(tmp_path / "rulesets", ruleset(LARGE))

    with Job(cluster, tmp_path, rulesets) as job:
        job.send(payment("c1", "10:01:00", 600))
        job.next_alert()
        assert filters.size() == before + 1
        assert not rulesets.reached("ended")

    wait_for(lambda: filters.size() == before, "the job's filter is gone")
    wait_for(lambda: rulesets.reached("ended"), "no function follows the rulesets any more")


def test_filter_runs_once_and_before_python_in_the_plan(cluster: MiniCluster, tmp_path: Path) -> None:
    tables = StreamTableEnvironment.create(cluster.environment(fraud_detection.OPTIONS))
    create_table(tables, "payments", write_records(tmp_path / "payments", []))
    fraud_detection.define(tables, FixedRulesets(ruleset(LARGE)), "EUR")

    plan = tables.from_path("noteworthy_payments").explain().split("== Optimized Execution Plan ==")[1]

    lines = plan.splitlines()
    [python] = [place for place, line in enumerate(lines) if "judge_payment(" in line]
    [java] = [place for place, line in enumerate(lines) if "may_break_rules(" in line]
    assert "PythonCalc" in lines[python]
    assert "where=[" in lines[java]
    assert python < java
