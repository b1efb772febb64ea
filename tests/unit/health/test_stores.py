"""The state of the warehouse and of the search index is read in a few requests, also where something is missing."""

from contextlib import nullcontext
from typing import Any

import pytest

from connectors.settings import Settings
from ops.health import stores
from ops.health.stores import Warehouse, look_at_search, look_at_warehouse
from ops.warehouse import migrations
from ops.warehouse.database import FOLDER
from tests.builders.health import NOW
from tests.unit.health.fake_elasticsearch import FakeElasticsearch


def test_newest_documents_are_those_of_the_aliases_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "client", FakeElasticsearch({"orders": 1_772_366_400_000.0}).connected)
    assert look_at_search(Settings()).newest == {"orders": 1_772_366_400_000}

    monkeypatch.setattr(stores, "client", FakeElasticsearch({"orders": None, "fraud-alerts": 5.0}).connected)
    assert look_at_search(Settings()).newest == {"orders": None, "fraud-alerts": 5}


def look(monkeypatch: pytest.MonkeyPatch, applied: int) -> Warehouse:
    """Return the state of a warehouse to which this number of migrations was applied."""
    files = migrations.read(FOLDER)
    done = [migrations.Applied(each.version, each.file, each.checksum, NOW) for each in files[:applied]]

    def newest(_: object) -> dict[str, Any]:
        assert applied == len(files)
        return {"fact_order": 5}

    monkeypatch.setattr(stores, "connecting", lambda *_: nullcontext())
    monkeypatch.setattr(migrations, "applied", lambda *_: done)
    monkeypatch.setattr(stores, "newest_facts", newest)
    return look_at_warehouse(Settings())


def test_tables_of_a_migrated_warehouse_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, len(migrations.read(FOLDER))).newest == {"fact_order": 5}


def test_tables_that_are_still_to_be_created_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, 1).newest == {}
