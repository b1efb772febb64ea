"""One mini-cluster for all tests in this folder; see README.md."""

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

import connectors.elasticsearch.client
from connectors.postgres.client import Connection, connecting
from connectors.settings import Settings
from local.stack.supervisor import Stack
from ops.warehouse import database as warehouse
from tests.cluster.mini_cluster import MiniCluster, mini_cluster
from tests.services.lone_elasticsearch import lone_elasticsearch
from tests.services.lone_postgres import lone_postgres


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniCluster]:
    """The cluster that the tests share."""
    with mini_cluster(tmp_path_factory.mktemp("mini-cluster")) as running:
        yield running


@pytest.fixture
def stream_environment(cluster: MiniCluster) -> StreamExecutionEnvironment:
    """An environment that submits to the cluster: Python in thread mode, parallelism 2, a failure fails the job."""
    return cluster.environment()


@pytest.fixture
def table_environment(stream_environment: StreamExecutionEnvironment) -> StreamTableEnvironment:
    """A table environment of the same kind with an empty catalog."""
    return StreamTableEnvironment.create(stream_environment)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Settings]:
    """Settings of a PostgreSQL server with a warehouse of the newest version."""
    with lone_postgres() as stack:
        settings = stack.setup.settings
        warehouse.migrate(settings)
        yield settings


@pytest.fixture
def warehouse_connection(postgres: Settings) -> Iterator[Connection]:
    """A connection to the warehouse, whose tables are empty."""
    with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
        names = ", ".join(f"{warehouse.SCHEMA}.{each.table}" for each in warehouse.tables(connection))
        connection.execute(f"TRUNCATE {names}")
        yield connection


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Stack]:
    """A stack in which Elasticsearch runs."""
    with lone_elasticsearch() as stack:
        yield stack


@pytest.fixture
def search_client(elasticsearch: Stack) -> Iterator[Elasticsearch]:
    """A client of an Elasticsearch without indices and templates, before and after the test."""
    with connectors.elasticsearch.client.client(elasticsearch.setup.settings) as client:
        _delete_everything(client)
        yield client
        _delete_everything(client)


def _delete_everything(client: Elasticsearch) -> None:
    for index in client.indices.get(index="*"):
        client.indices.delete(index=index)
    client.options(ignore_status=404).indices.delete_index_template(name="millrace-*")
