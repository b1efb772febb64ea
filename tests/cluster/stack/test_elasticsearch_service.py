"""Elasticsearch as a service of the local stack."""

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from local.stack.supervisor import Stack
from tests.services.lone_elasticsearch import kill_node


@pytest.mark.full
def test_acknowledged_document_survives_a_killed_node(elasticsearch: Stack, search_client: Elasticsearch) -> None:
    search_client.indices.create(index="kept", settings={"number_of_replicas": 0})
    search_client.index(index="kept", id="1", document={"text": "hello"})

    kill_node(elasticsearch)
    (status,) = elasticsearch.status()
    elasticsearch.start("elasticsearch")

    assert "ended without being stopped" in status.fault
    assert search_client.get(index="kept", id="1")["_source"] == {"text": "hello"}


def test_write_to_an_undeclared_index_does_not_create_the_index(search_client: Elasticsearch) -> None:
    with pytest.raises(NotFoundError, match="no such index"):
        search_client.index(index="mispelt", id="1", document={"text": "hello"})


def test_up_leaves_a_running_node_alone(elasticsearch: Stack) -> None:
    (before,) = elasticsearch.status()

    elasticsearch.up(["elasticsearch"])

    (after,) = elasticsearch.status()
    assert after.pid == before.pid
