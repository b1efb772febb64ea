"""Reads the current content of the search index."""

from elasticsearch.helpers import scan

from connectors.elasticsearch.client import client, explained
from connectors.elasticsearch.documents import SEARCH_INDICES
from connectors.settings import Settings
from local.oracles.search import Documents


def documents(settings: Settings, alias: str) -> Documents:
    """Return all documents of an alias, by id.

    Raises:
        ElasticsearchError: it can't be queried.
    """
    with explained(settings), client(settings) as elasticsearch:
        elasticsearch.indices.refresh(index=alias)
        return {hit["_id"]: hit["_source"] for hit in scan(elasticsearch, index=alias)}


def count(settings: Settings) -> int:
    """Return the number of documents in all aliases.

    Raises:
        ElasticsearchError: it can't be queried.
    """
    with explained(settings), client(settings) as elasticsearch:
        return sum(int(elasticsearch.count(index=index.alias)["count"]) for index in SEARCH_INDICES)
