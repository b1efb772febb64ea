"""One mini-cluster for all tests in this folder; see README.md."""

from collections.abc import Iterator

import pytest
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from tests.cluster.mini_cluster import MiniCluster, mini_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniCluster]:
    """The cluster that the tests share."""
    with mini_cluster(tmp_path_factory.mktemp("mini-cluster")) as running:
        yield running


@pytest.fixture
def stream_environment(cluster: MiniCluster) -> StreamExecutionEnvironment:
    """Submits to the cluster: Python in thread mode, parallelism 2, a failure fails the job."""
    return cluster.environment()


@pytest.fixture
def table_environment(stream_environment: StreamExecutionEnvironment) -> StreamTableEnvironment:
    """The same with SQL, and an empty catalog."""
    return StreamTableEnvironment.create(stream_environment)
