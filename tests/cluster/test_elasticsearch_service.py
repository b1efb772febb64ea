"""Elasticsearch as a service of the local stack."""

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from local.stack.supervisor import Stack
from tests.lone_elasticsearch import kill_node


@pytest.fixture
def client(elasticsearch: Stack) -> Elasticsearch:
    return Elasticsearch(elasticsearch.setup.settings.elasticsearch_url)


def test_what_was_acknowledged_is_there_after_the_node_was_killed(elasticsearch: Stack, client: Elasticsearch) -> None:
    client.indices.create(index="kept", settings={"number_of_replicas": 0})
    client.index(index="kept", id="1", document={"said": "hello"})

    kill_node(elasticsearch)
    (status,) = elasticsearch.status()
    elasticsearch.start("elasticsearch")

    assert "ended without being stopped" in status.fault
    assert client.get(index="kept", id="1")["_source"] == {"said": "hello"}


def test_an_index_that_nobody_declared_is_not_made_by_writing_to_it(client: Elasticsearch) -> None:
    with pytest.raises(NotFoundError, match="no such index"):
        client.index(index="mispelt", id="1", document={"said": "hello"})
