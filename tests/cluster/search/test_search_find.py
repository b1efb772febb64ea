"""`ops search find` against a real Elasticsearch with a few orders and alerts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner, Result
from elasticsearch import Elasticsearch

from connectors.elasticsearch.documents import action
from events import BrokenRule
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.search.apply import apply
from ops.search.indices import declared
from tests.builders.events import enriched_line, enriched_order, fraud_alert

Find = Callable[..., Result]


def rules(*names: str) -> tuple[BrokenRule, ...]:
    return tuple(BrokenRule(rule=name, score=50, reason=f"because of {name.replace('_', ' ')}") for name in names)


@pytest.fixture
def run(elasticsearch: Stack, monkeypatch: pytest.MonkeyPatch) -> Find:
    monkeypatch.setenv("MILLRACE_ELASTICSEARCH_URL", elasticsearch.setup.settings.elasticsearch_url)
    return lambda *arguments: CliRunner().invoke(main, ["search", "find", *arguments])


@pytest.fixture
def found(search_client: Elasticsearch, run: Find) -> Find:
    """The command, with four orders and four alerts in the index."""
    apply(search_client, declared())
    now = datetime.now(UTC).isoformat()
    lamp = (enriched_line(1, "p7", name="A green desk lamp", category="lamps"),)
    events = [
        enriched_order("o1", at="12:00:00", customer_id="u1", customer_name="Ada Lovelace"),
        enriched_order("o2", at="12:00:01", customer_id="u1", customer_name="Ada Lovelace", lines=lamp),
        enriched_order("o3", at="12:00:02", customer_id="u2", customer_name=None),
        enriched_order("o4", at=now, customer_id="u3", customer_name="Ada\u202e\x9b\x7fByron"),
        fraud_alert("a1", at="12:00:00", card_id="c1", rules=rules("many_payments"), customer_id="u1"),
        fraud_alert("a2", at="12:00:01", card_id="c1", rules=rules("new_device", "far_away"), customer_id="u1"),
        fraud_alert("a3", at=now, card_id="c2", rules=rules("many_payments")),
        fraud_alert("a4", at=now, card_id="c2", rules=rules("many_payments")),
    ]
    topics = {"enriched_order": "enriched-orders"}
    lines = [action(topics.get(e.event_type, "fraud-alerts"), None, msgspec.json.encode(e)).lines() for e in events]
    assert not search_client.bulk(operations=lines, refresh=True)["errors"]
    return run


def ids(result: Result) -> list[str]:
    """Return the ids of the documents that `--json` prints, in their order."""
    assert result.exit_code == 0, result.output
    documents = map(json.loads, result.output.splitlines())
    return [each["order_id"] if each["index"] == "orders" else each["event_id"] for each in documents]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["--card", "c1"], ["a2", "a1"]),
        (["--customer", "u1"], ["o2", "o1", "a2", "a1"]),
        (["--order", "o3"], ["o3"]),
        (["--rule", "far_away"], ["a2"]),
        (["--rule", "many_payments", "--today"], ["a3", "a4"]),
        (["ada", "lovelace"], ["o2", "o1"]),
        (["desk", "lamp"], ["o2"]),
        (["p7"], ["o2"]),
        (["device"], ["a2"]),
        (["c2", "--today"], ["a3", "a4"]),
        (["--customer", "u1", "lamp"], ["o2"]),
        (["--card", "c1", "--limit", "1"], ["a2"]),
    ],
    ids=" ".join,
)
def test_find_shows_matches_newest_first(found: Find, asked: list[str], expected: list[str]) -> None:
    result = ids(found(*asked, "--json"))

    assert sorted(result) == sorted(expected) if "--today" in asked else result == expected


def test_find_shows_matches_in_aligned_tables(found: Find) -> None:
    result = found("--customer", "u1")

    assert result.output.splitlines() == [
        "orders: 2 found",
        "order  placed                   customer  name          total      lines",
        "o2     2026-03-01 12:00:01 UTC  u1        Ada Lovelace  40.00 EUR  2 × A green desk lamp",
        "o1     2026-03-01 12:00:00 UTC  u1        Ada Lovelace  40.00 EUR  2 × A book",
        "fraud-alerts: 2 found",
        "card                time                     case    score  rules                 payments  amount",
        "••• (2 characters)  2026-03-01 12:00:01 UTC  opened  50     new_device, far_away  1         40.00 EUR",
        "••• (2 characters)  2026-03-01 12:00:00 UTC  opened  50     many_payments         1         40.00 EUR",
    ]


def test_find_reports_omitted_matches_and_shows_a_dash_for_no_name(found: Find) -> None:
    limited, nameless = found("--limit", "2"), found("--order", "o3")

    assert "orders: 4 found, the newest 2 are shown" in limited.output
    assert nameless.output.splitlines()[2].split()[5:7] == ["–", "40.00"]


def test_alerts_are_counted_by_rule_and_by_card(found: Find) -> None:
    counted, today = found("--by-rule"), found("--by-rule", "--today", "--json")

    assert [line.split() for line in counted.output.splitlines()] == [
        ["rule", "alerts", "cards"],
        ["many_payments", "3", "2"],
        ["far_away", "1", "1"],
        ["new_device", "1", "1"],
    ]
    assert json.loads(today.output) == {"rule": "many_payments", "alerts": 2, "cards": 1}


def test_bidi_characters_in_a_name_do_not_reverse_the_line(found: Find) -> None:
    output = found("--customer", "u3").output

    assert "Byron" in output
    assert "\u202e" not in output


def test_documents_as_json_are_printable_ascii(found: Find) -> None:
    [line] = found("--customer", "u3", "--json").output.splitlines()

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["customer_name"] == "Ada\u202e\x9b\x7fByron"


def test_find_without_matches_names_the_searched_index(found: Find) -> None:
    nothing, no_rule = found("--card", "c9"), found("--card", "c9", "--by-rule")

    assert (nothing.exit_code, nothing.output) == (0, "nothing found in fraud-alerts\n")
    assert (no_rule.exit_code, no_rule.output) == (0, "nothing found in fraud-alerts\n")


@pytest.mark.usefixtures("search_client")
def test_find_without_an_index_names_the_command_to_run_first(run: Find) -> None:
    result = run("--card", "c1")

    assert (result.exit_code, result.output) == (
        1,
        "Error: there is no index fraud-alerts: run `python -m ops search apply` first\n",
    )
