"""Every case of `tests/pipelines`."""

from pathlib import Path

import pytest
from pyflink.table import StreamTableEnvironment

import sql
from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling
from sql.pipeline import Pipeline, find, load
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import read_records, write_records
from tests.cluster.topic_tables import kafka_tables, over_files_in
from tests.pipeline_cases import Case, cases, decoded, difference


def loaded(name: str) -> Pipeline:
    return load(find(name), filling(name, Settings()))


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
