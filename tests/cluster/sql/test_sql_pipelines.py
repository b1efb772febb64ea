"""Every case of `tests/pipelines`."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from pyflink.common import JobClient
from pyflink.table import CompiledPlan, PlanReference, StreamTableEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling
from sql.tools.pipeline import Pipeline, find, load
from tests.builders.pipeline_cases import Case, cases, decoded, difference
from tests.cluster.mini_cluster import RETAINED_CHECKPOINTS, MiniCluster
from tests.cluster.records import read_records, write_records
from tests.cluster.topic_tables import kafka_tables, over_files_in

CASES_IN_TWO_PARTS = [case for case in cases() if case.has_two_parts]
ONE_SUBTASK = {"parallelism.default": "1"}

PLANS: dict[tuple[str, ...], str] = {}
"""Compiled plans by the statements without a case's folder, which no plan contains: making one takes longer than a case
takes to run."""


def loaded(name: str) -> Pipeline:
    return load(find(name), filling(name, Settings()))


def planned_before(tables: StreamTableEnvironment, pipeline: Pipeline, plan: str) -> CompiledPlan:
    """Return a pipeline's plan in a new environment: with the tables and functions that it names, it needs no views."""
    for each in pipeline.preparations:
        if setting := each.setting():
            tables.get_config().set(*setting)
        elif not each.starts_with("CREATE", "TEMPORARY", "VIEW"):
            tables._j_tenv.executeSql(each.text)  # what PyFlink adds takes longer, and the plan does it once
    # PyFlink's own wrapper of a loaded plan has Java's environment where it needs Python's.
    return CompiledPlan(tables.load_plan(PlanReference.from_json_string(plan))._j_compiled_plan, tables)


class RunningCase:
    """A case over files of a folder."""

    def __init__(self, case: Case, cluster: MiniCluster, folder: Path) -> None:
        self._case = case
        self._cluster = cluster
        self._folder = folder
        self._pipeline = loaded(case.pipeline)
        if "forgotten" in case.folder.name:
            shortened = [
                replace(each, text=each.text.replace("'2 h'", "'1 ms'")) for each in self._pipeline.preparations
            ]
            self._pipeline = replace(self._pipeline, preparations=tuple(shortened))
        self._sources, self._sinks = (kafka_tables(self._pipeline, written=written) for written in (False, True))
        assert case.topics("in") <= self._sources.keys()
        assert case.topics("out") <= self._sinks.keys()

    def start(self, options: dict[str, str], stay_open: bool = False) -> JobClient:
        """Start the pipeline from the beginning, or from the savepoint in the options."""
        # Otherwise the expected rows would depend on the speed of the machine.
        idle_after = "1 s" if "idle" in self._case.folder.name else "1 h"
        pipeline = over_files_in(self._pipeline, self._folder, stay_open, idle_after)
        return self._plan(pipeline, SQL_OPTIONS | options).execute().get_job_client()

    def _plan(self, pipeline: Pipeline, options: dict[str, str]) -> CompiledPlan:
        """Plan the pipeline as its job does, or take the plan of a case with the same statements."""
        texts = (each.text for each in (*pipeline.preparations, *pipeline.inserts))
        statements = tuple(text.replace(str(self._folder), "") for text in texts)
        if statements in PLANS:
            tables = StreamTableEnvironment.create(self._cluster.environment(options | ONE_SUBTASK))
            return planned_before(tables, pipeline, PLANS[statements])
        plan = define(StreamTableEnvironment.create(self._cluster.environment(options)), pipeline)
        PLANS[statements] = plan.as_json_string()
        return plan

    def write(self, *, then: bool = False) -> None:
        """Add the records of the first part to the topics, or those of the second."""
        for topic in self._sources:
            first, later = (self._case.records(topic, then=each) for each in (False, True))
            partitions = max([each.partition for each in (*first, *later)], default=0) + 1
            offsets = {each.partition: 0 for each in later}
            for each in first:
                offsets[each.partition] = offsets.get(each.partition, 0) + 1
            for partition in range(partitions):
                records = [each for each in (later if then else first) if each.partition == partition]
                write_records(self._folder / topic, records, partitions, offsets.get(partition, 0) if then else 0)

    def end(self, job: JobClient) -> None:
        """Close the topics that stay open: first those with records of the second part, which would be late if a topic
        without them ended, and took event time to its end, while they are read."""
        for topic in sorted(self._sources, key=lambda topic: not self._case.records(topic, then=True)):
            (self._folder / topic / "end").touch()
            self._cluster.wait_until_read(job, topic)

    def wait_for_first_rows(self) -> None:
        """Wait until the rows due before the second part were emitted."""
        deadline = time.monotonic() + 60
        while rows := self.difference(at_first=True):
            assert time.monotonic() < deadline, f"a minute later, without what comes then:\n{rows}"
            time.sleep(0.1)

    def difference(self, *, at_first: bool = False) -> str:
        """Return the missing and surplus rows; empty if there are none."""
        differences = ""
        for topic in self._sinks:
            written = [decoded(topic, each) for each in read_records(self._folder / topic)]
            if rows := difference(self._case.expected(topic, at_first=at_first), written):
                differences += f"\n\n{self._case.name}, {topic}: - is missing, + is too many\n{rows}"
        return differences


@pytest.mark.parametrize(
    "case", [case for case in cases() if case not in CASES_IN_TWO_PARTS], ids=lambda case: case.name
)
def test_case_gives_its_expected_rows(case: Case, cluster: MiniCluster, tmp_path: Path) -> None:
    running = RunningCase(case, cluster, tmp_path)
    running.write()

    running.start(ONE_SUBTASK).get_job_execution_result().result()

    differences = running.difference()
    assert not differences, differences


@pytest.mark.parametrize(
    "how", [*(pytest.param(how, marks=pytest.mark.full) for how in ("going_on", "restarted")), "crashed"]
)
@pytest.mark.parametrize("case", CASES_IN_TWO_PARTS, ids=lambda case: case.name)
def test_later_records_give_the_same_rows_with_and_without_a_restart(
    case: Case, how: str, cluster: MiniCluster, tmp_path: Path
) -> None:
    running = RunningCase(case, cluster, tmp_path)
    running.write()
    job = running.start(RETAINED_CHECKPOINTS, stay_open=True)
    running.wait_for_first_rows()

    if how != "going_on":
        state = cluster.stop_with_savepoint(job) if how == "restarted" else cluster.crash(job)
        running.write(then=True)
        job = running.start({"execution.state-recovery.path": state})
    else:
        running.write(then=True)
        running.end(job)
    job.get_job_execution_result().result()

    differences = running.difference()
    assert not differences, differences


@pytest.mark.parametrize("name", sql.names("pipelines"))
def test_every_pipeline_has_a_case(name: str) -> None:
    assert name in {case.pipeline for case in cases()}
