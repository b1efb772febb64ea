"""Jobs run with the jars and the Python that were assembled for them."""

import importlib
import os
import re
import sys
from pathlib import Path

import pytest
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import udf

from tests.cluster.mini_cluster import MiniCluster
from toolchain.flink_home import JvmRunsError, assemble


def test_flink_home_has_flink_the_connectors_and_our_extensions() -> None:
    home = assemble()

    in_lib = " ".join(path.name for path in home.lib.iterdir())
    for needed in ("flink-dist", "flink-json", "flink-python", "flink-sql-connector-kafka", "millrace-jvm.jar"):
        assert re.search(needed, in_lib)
    assert {re.sub(r"-\d.*", "", path.name) for path in home.opt.iterdir()} >= {"flink-sql-client", "flink-sql-gateway"}
    assert all(path.exists() for folder in (home.lib, home.opt) for path in folder.iterdir())


def test_flink_home_is_assembled_once() -> None:
    first = assemble()

    made_at = first.lib.stat().st_ctime_ns

    assert assemble() == first
    assert first.lib.stat().st_ctime_ns == made_at


@pytest.mark.usefixtures("cluster")
def test_flink_home_cannot_be_chosen_after_the_jvm_has_started(tmp_path: Path) -> None:
    with pytest.raises(JvmRunsError, match="before the first PyFlink object"):
        assemble().use(tmp_path)


def test_python_functions_run_in_this_interpreter_and_the_jvm_s_process(
    cluster: MiniCluster, table_environment: StreamTableEnvironment
) -> None:
    place = udf(where_it_runs, result_type=DataTypes.STRING())
    table_environment.create_temporary_function("place", place)

    with table_environment.execute_sql("SELECT place('udfs')").collect() as rows:
        found = [row[0] for row in rows]

    assert found == [f"{sys.prefix} {sys.version_info.minor} {cluster.process_id} udfs"]


def where_it_runs(module: str) -> str:
    name = importlib.import_module(module).__name__
    return f"{sys.prefix} {sys.version_info.minor} {os.getpid()} {name}"
