"""Every case of `tests/pipelines`, and what planning says of the pipelines."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyflink.table import StreamTableEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling
from sql.pipeline import Pipeline, find, load
from sql.statements import Statement
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import read_records, write_records
from tests.cluster.topic_tables import over_files
from tests.pipeline_cases import Case, cases, decoded, difference


def loaded(name: str) -> Pipeline:
    return load(find(name), filling(name, Settings()))


def kafka_tables(pipeline: Pipeline, *, written: bool) -> dict[str, Statement]:
    """Those that it reads or writes, by topic."""
    targets = {insert.target() for insert in pipeline.inserts}
    return {
        table.options()["topic"]: table
        for table in pipeline.preparations
        if table.is_table() and table.options().get("connector") == "kafka" and (table.creates() in targets) == written
    }


def over_files_in(pipeline: Pipeline, folder: Path) -> Pipeline:
    """The same pipeline, whose topics are folders of files."""
    preparations = list(pipeline.preparations)
    for topic, table in (kafka_tables(pipeline, written=True) | kafka_tables(pipeline, written=False)).items():
        shadow = replace(table, text=over_files(str(table.creates()), table.text, folder / topic))
        preparations.insert(preparations.index(table) + 1, shadow)
    return replace(pipeline, preparations=tuple(preparations))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_what_goes_in_comes_out_as_the_case_says(case: Case, cluster: MiniCluster, tmp_path: Path) -> None:
    pipeline = loaded(case.pipeline)
    sources, sinks = (kafka_tables(pipeline, written=written) for written in (False, True))
    assert case.topics("in") <= sources.keys()
    assert case.topics("out") <= sinks.keys()
    for topic in sources:
        write_records(tmp_path / topic, case.records(topic))

    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, "parallelism.default": "1"}))
    define(tables, over_files_in(pipeline, tmp_path)).execute().wait()

    written = {topic: [decoded(topic, each) for each in read_records(tmp_path / topic)] for topic in sinks}
    differences = {topic: difference(case.expected(topic), rows) for topic, rows in written.items()}
    told = [f"{case.name}, {topic}: - is missing, + is too many\n{rows}" for topic, rows in differences.items() if rows]
    assert not told, "\n\n" + "\n\n".join(told)


@pytest.mark.parametrize("name", sql.names("pipelines"))
def test_every_pipeline_has_a_case(name: str) -> None:
    assert name in {case.pipeline for case in cases()}
