"""The state of the warehouse and of the search index is read in a few requests, also where something is missing."""

import dataclasses
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest

from connectors.postgres.client import DatabaseError
from connectors.settings import Settings
from ops.health.answers import stores
from ops.health.answers.stores import (
    MailSettings,
    SearchCluster,
    Warehouse,
    check_mail_server,
    look_at_warehouse,
    newest_in_search,
    search_cluster,
    search_faults,
)
from ops.search import indices
from ops.warehouse import migrations
from ops.warehouse.database import FOLDER
from tests.builders.health import NOW
from tests.services.free_ports import free_port
from tests.services.mail_servers import mail_server
from tests.unit.health.fake_elasticsearch import FakeElasticsearch

ALL = len(migrations.read(FOLDER))
"""Number of the warehouse's migrations."""


def test_newest_documents_are_those_of_the_aliases_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "client", FakeElasticsearch({"orders": 1_772_366_400_000.0}).connected)
    assert newest_in_search(Settings()) == {"orders": 1_772_366_400_000}

    monkeypatch.setattr(stores, "client", FakeElasticsearch({"orders": None, "fraud-alerts": 5.0}).connected)
    assert newest_in_search(Settings()) == {"orders": None, "fraud-alerts": 5}


def test_state_of_the_cluster_is_that_of_our_indices_and_of_all_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "client", FakeElasticsearch().connected)

    assert search_cluster(Settings()) == SearchCluster("yellow", 2, "red", "1 index is not allowed to be updated.")


@pytest.mark.parametrize(
    ("settings", "disk"),
    [
        ({"defaults": {stores.DISK_LIMITS: "false"}}, "unknown"),
        ({"defaults": {stores.DISK_LIMITS: "false"}, "transient": {stores.DISK_LIMITS: "true"}}, "red"),
    ],
)
def test_disk_has_no_state_where_its_limits_are_switched_off(
    settings: dict[str, dict[str, str]], disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "client", FakeElasticsearch(settings=settings).connected)

    assert search_cluster(Settings()).disk == disk


def test_faults_of_the_search_index_are_those_that_its_status_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "client", FakeElasticsearch().connected)
    monkeypatch.setattr(indices, "look", lambda _, wanted: wanted.alias)
    monkeypatch.setattr(stores.search_operations, "faults", lambda wanted, real: [f"{wanted.alias}: {real}"])

    assert search_faults(Settings()) == {"orders": ["orders: orders"], "fraud-alerts": ["fraud-alerts: fraud-alerts"]}


def look(monkeypatch: pytest.MonkeyPatch, applied: int, error: Exception | None = None, **changed: Any) -> Warehouse:
    """Return the state of a warehouse to which this number of migrations was applied, the last with changes."""
    files = migrations.read(FOLDER)
    done = [migrations.Applied(each.version, each.file, each.checksum, NOW) for each in files[:applied]]
    done[-1] = dataclasses.replace(done[-1], **changed)

    def newest(_: object) -> dict[str, Any]:
        assert applied == len(files)
        if error:
            raise error
        return {"fact_order": 5}

    monkeypatch.setattr(stores, "connecting", lambda *_: nullcontext())
    monkeypatch.setattr(migrations, "applied", lambda *_: done)
    monkeypatch.setattr(stores, "newest_facts", newest)
    return look_at_warehouse(Settings())


def test_tables_of_a_migrated_warehouse_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, ALL) == Warehouse({"fact_order": 5}, [])


def test_tables_that_are_still_to_be_created_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch, ALL - 1)

    assert (found.newest, found.faults) == ({}, ["0005_revenue_revisions.sql is to be applied"])


def test_migration_that_was_edited_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch, ALL, checksum="other")

    assert found.newest == {}
    assert [fault.partition(" was applied")[0] for fault in found.faults] == ["0005_revenue_revisions.sql"]


def test_table_that_was_dropped_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatabaseError, match=r"the warehouse at .* can't be read: no fact_order"):
        look(monkeypatch, ALL, psycopg.errors.UndefinedTable("no fact_order"))


class Busy:
    """A handler of a mail server that refuses to do anything."""

    async def handle_NOOP(self, *_: object) -> str:  # noqa: N802 - the name that aiosmtpd looks for
        """Refuse."""
        return "421 too busy"


def test_mail_server_that_answers_is_well() -> None:
    with mail_server(object()) as port:
        check_mail_server(MailSettings(f"smtp://127.0.0.1:{port}"))


def test_mail_server_that_refuses_is_reported() -> None:
    with (
        mail_server(Busy()) as port,
        pytest.raises(ConnectionError, match=r"smtp://127.0.0.1:\d+ answers 421 too busy"),
    ):
        check_mail_server(MailSettings(f"smtp://127.0.0.1:{port}"))


def test_mail_server_that_does_not_run_is_reported() -> None:
    with pytest.raises(ConnectionError, match=r"no mail server answers at .*: start it .* MILLRACE_SMTP_URL"):
        check_mail_server(MailSettings(f"smtp://127.0.0.1:{free_port()}"))
