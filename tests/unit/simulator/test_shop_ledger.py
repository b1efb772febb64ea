"""The shop's ledger contains its transactions, the final tables, and the versions of each row."""

import pytest
from msgspec.structs import replace

from local.simulator.ledger_file import LedgerError
from local.simulator.shop.rows import checksum
from local.simulator.shop.shop_ledger import ShopLedger, Version
from local.simulator.shop.state import Statement
from tests.builders.shop import customer, product, record


@pytest.fixture
def path(tmp_path):
    """Two customers and a product at first; one is changed, one deleted, one added; one change is rolled back."""
    file = tmp_path / "new folder" / "shop.jsonl"
    ledger = ShopLedger(file, (customer(1), customer(2), product(1)), started_at=0)
    ledger.end(record(1, Statement("u", (customer(1, "gold"),)), Statement("u", (product(1, "toys"),)), at=100))
    ledger.end(record(2, Statement("d", (customer(1, "gold"),)), outcome="rolled_back"))
    ledger.end(record(3, Statement("d", (customer(2),)), at=200))
    ledger.end(record(4, Statement("c", (customer(3),)), at=300))
    ledger.finish(ended_at=400, complete=True)
    return file


def test_final_tables_are_initial_rows_with_committed_changes(path):
    # when
    content = ShopLedger.read(path)

    # then
    assert content.customers == (customer(1, "gold"), customer(3))
    assert content.products == (product(1, "toys"),)
    assert checksum(content.customers) == checksum([customer(3), customer(1, "gold")])


def test_every_row_has_its_versions_in_order(path):
    # when
    versions = ShopLedger.read(path).versions

    # then
    assert versions == {
        "customer-1": [Version(None, customer(1), False), Version(100, customer(1, "gold"), False)],
        "customer-2": [Version(None, customer(2), False), Version(200, customer(2), True)],
        "customer-3": [Version(300, customer(3), False)],
        "product-1": [Version(None, product(1), False), Version(100, product(1, "toys"), False)],
    }


def test_summary_counts_transactions(path):
    # when
    summary = ShopLedger.read(path).summary

    # then
    assert summary is not None
    assert summary.complete
    assert summary.outcomes == {"committed": 3, "rolled_back": 1}
    assert summary.kinds == {"sold": 4}


def test_transaction_of_unknown_outcome_is_in_doubt_and_not_applied(tmp_path):
    # given
    ledger = ShopLedger(tmp_path / "ledger.jsonl", [customer(1)], started_at=0)

    # when
    ledger.end(record(1, Statement("d", (customer(1),)), outcome="unknown"))

    # then
    content = ShopLedger.read(tmp_path / "ledger.jsonl")
    assert [each.number for each in content.in_doubt] == [1]
    assert content.customers == (customer(1),)


def test_transaction_begun_before_a_kill_is_in_doubt(tmp_path):
    # given
    ledger = ShopLedger(tmp_path / "ledger.jsonl", [customer(1)], started_at=0)
    ledger.end(replace(ledger.begin(1, "moved", (Statement("c", (customer(2),)),)), outcome="committed"))

    # when
    ledger.begin(2, "forgotten", (Statement("d", (customer(1),)),))

    # then
    content = ShopLedger.read(tmp_path / "ledger.jsonl")
    assert [each.number for each in content.committed] == [1]
    assert [each.number for each in content.in_doubt] == [2]
    assert content.customers == (customer(1), customer(2))


def test_ledger_whose_service_was_killed_can_be_read(path):
    # given
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:40])

    # when
    content = ShopLedger.read(path)

    # then
    assert content.customers == (customer(1, "gold"), customer(2))
    assert content.summary is None


def test_versions_need_a_server_that_keeps_commit_times(tmp_path):
    # given
    ledger = ShopLedger(tmp_path / "ledger.jsonl", [customer(1)], started_at=0)
    ledger.end(record(1, Statement("d", (customer(1),)), at=None))

    # then
    with pytest.raises(ValueError, match="track_commit_timestamp"):
        _ = ShopLedger.read(tmp_path / "ledger.jsonl").versions


def test_existing_ledger_is_not_overwritten(path):
    with pytest.raises(LedgerError, match="already holds"):
        ShopLedger(path, [], started_at=0)
