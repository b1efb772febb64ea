"""What the warehouse and the search index contain at one moment, as far as the checks need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.elasticsearch.client import client, explained
from connectors.postgres.client import connecting
from connectors.settings import Settings
from ops.search.find import newest_documents
from ops.warehouse import migrations
from ops.warehouse.database import FOLDER, SCHEMA, address
from ops.warehouse.figures import newest_facts

ANSWER_SECONDS = 8
"""Timeout of a statement or a request."""


@dataclass(frozen=True)
class Warehouse:
    """State of the warehouse."""

    newest: Mapping[str, int | None] = field(default_factory=dict)
    """Newest event time in each table of facts, in UTC milliseconds; without tables that are still to be created."""


@dataclass(frozen=True)
class Search:
    """State of the search index."""

    newest: Mapping[str, int | None] = field(default_factory=dict)
    """Newest event time behind each alias that exists, in UTC milliseconds."""


def look_at_warehouse(settings: Settings) -> Warehouse:
    """Ask the warehouse.

    Raises:
        DatabaseError: it can't be reached, or takes too long.
        MigrationError: it was migrated by other files.
    """
    with connecting(address(settings), ANSWER_SECONDS) as connection:
        todo = migrations.pending(migrations.read(FOLDER), migrations.applied(connection, SCHEMA))
        return Warehouse(newest={} if todo else newest_facts(connection))


def look_at_search(settings: Settings) -> Search:
    """Ask Elasticsearch.

    Raises:
        ElasticsearchError: it can't be reached, or refuses.
    """
    with explained(settings), client(settings, ANSWER_SECONDS) as connected:
        elasticsearch = connected.options(max_retries=0)
        return Search(newest=newest_documents(elasticsearch))
