"""State of the warehouse, of the search index and of the mail server at one moment."""

import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg

from connectors.elasticsearch.client import client, explained
from connectors.postgres.client import DatabaseError, connecting
from connectors.settings import Settings, Variables, mail_server, variable
from ops.search import apply as search_operations
from ops.search import indices
from ops.search.find import newest_documents
from ops.warehouse import migrations
from ops.warehouse.database import FOLDER, SCHEMA, address
from ops.warehouse.figures import newest_facts
from ops.warehouse.migrations import MigrationError

ANSWER_SECONDS = 8
"""Timeout of a statement or a request."""
DISK_LIMITS = "cluster.routing.allocation.disk.threshold_enabled"
"""Elasticsearch's setting that switches its limits for disks on."""
READY = 250
"""Answer of a mail server that does what it was asked."""


@dataclass(frozen=True)
class Warehouse:
    """State of the warehouse."""

    newest: Mapping[str, int | None] = field(default_factory=dict)
    """Newest event time in each table of facts, in UTC milliseconds; none unless all migrations were applied."""
    faults: Sequence[str] = ()
    """Migrations that are to be applied, or why they can't be."""


@dataclass(frozen=True)
class SearchCluster:
    """State of Elasticsearch's nodes."""

    status: str
    """State of our indices: green, yellow (a replica is missing) or red (documents are missing)."""
    unassigned_shards: int
    disk: str
    """State of the disks: green, yellow (above the high watermark), red (indices are or will be blocked) or unknown, as
    where limits are switched off."""
    disk_in_words: str


@dataclass(frozen=True)
class MailSettings(Variables):
    """Setting of the mail server, which the notifier uses."""

    smtp_url: str = mail_server()


def look_at_warehouse(settings: Settings) -> Warehouse:
    """Ask the warehouse.

    Raises:
        DatabaseError: it can't be reached, refuses, or takes too long.
    """
    with connecting(address(settings), ANSWER_SECONDS) as connection:
        try:
            todo = migrations.pending(migrations.read(FOLDER), migrations.applied(connection, SCHEMA))
            faults = [f"{each.file} is to be applied" for each in todo]
            return Warehouse({} if todo else newest_facts(connection), faults)
        except MigrationError as error:
            return Warehouse(faults=str(error).splitlines())
        except psycopg.ProgrammingError as error:  # a table that was dropped, or that we may not read
            raise DatabaseError(f"the warehouse at {settings.warehouse_url} can't be read: {error}") from error


def newest_in_search(settings: Settings) -> dict[str, int | None]:
    """Return the newest event time behind each alias that exists, in UTC milliseconds.

    Raises:
        ElasticsearchError: Elasticsearch can't be reached, or refuses.
    """
    with explained(settings), client(settings, ANSWER_SECONDS) as elasticsearch:
        return newest_documents(elasticsearch.options(max_retries=0))


def make_searchable(settings: Settings) -> None:
    """Let readers of the search index find each document that was written before.

    Raises:
        ElasticsearchError: Elasticsearch can't be reached, or refuses.
    """
    with explained(settings), client(settings, ANSWER_SECONDS) as elasticsearch:
        elasticsearch.options(max_retries=0).indices.refresh(index=[wanted.alias for wanted in indices.declared()])


def search_faults(settings: Settings) -> dict[str, list[str]]:
    """Return what is wrong with the index of each alias, such as a block.

    Raises:
        ElasticsearchError: Elasticsearch can't be reached, or refuses.
    """
    with explained(settings), client(settings, ANSWER_SECONDS) as connected:
        elasticsearch = connected.options(max_retries=0)
        return {
            wanted.alias: search_operations.faults(wanted, indices.look(elasticsearch, wanted))
            for wanted in indices.declared()
        }


def search_cluster(settings: Settings) -> SearchCluster:
    """Ask Elasticsearch for the state of its shards and disks.

    Raises:
        ElasticsearchError: it can't be reached, or refuses.
    """
    ours = [f"{wanted.alias}-v*" for wanted in indices.declared()]
    with explained(settings), client(settings, ANSWER_SECONDS) as connected:
        elasticsearch = connected.options(max_retries=0)
        health = elasticsearch.cluster.health(index=ours)
        settings_by_kind = elasticsearch.cluster.get_settings(include_defaults=True, flat_settings=True).body
        disk: Mapping[str, Any] = elasticsearch.health_report(feature="disk")["indicators"]["disk"]
    # The report is about limits that nodes may be told to ignore.
    kinds = (settings_by_kind[kind] for kind in ("transient", "persistent", "defaults"))
    has_limits = next((each[DISK_LIMITS] for each in kinds if DISK_LIMITS in each), "true") == "true"
    status = disk["status"] if has_limits else "unknown"
    return SearchCluster(health["status"], health["unassigned_shards"], status, disk.get("symptom", ""))


def check_mail_server(settings: MailSettings) -> None:
    """Let the mail server answer a command; send no mail.

    Raises:
        ConnectionError: it doesn't answer, or doesn't speak SMTP.
    """
    where = urlsplit(settings.smtp_url)
    at = f"at {settings.smtp_url}"
    try:
        port = where.port or smtplib.SMTP_PORT
        with smtplib.SMTP(where.hostname or "", port, local_hostname="localhost", timeout=ANSWER_SECONDS) as server:
            code, words = server.noop()
    except OSError as error:  # includes smtplib's own errors
        raise ConnectionError(
            f"no mail server answers {at}: start it (`make up`), or set {variable('smtp_url')} to where it is ({error})"
        ) from error
    if code != READY:
        raise ConnectionError(f"the mail server {at} answers {code} {words.decode(errors='replace')}")
