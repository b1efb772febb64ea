"""`ops search apply` and `status` against a real Elasticsearch."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from elasticsearch import BadRequestError, Elasticsearch

from connectors.elasticsearch.documents import action
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.search.apply import SearchBlockedError, apply, faults, plan
from ops.search.indices import Declared, declared, look
from tests.builders.events import enriched_order, fraud_alert

ORDERS, ALERTS = declared()
Change = Callable[[dict[str, Any]], None]


def with_change(change: Change, version: int = 3) -> Declared:
    """Return the declaration of `orders` after an edit of its file."""
    template = copy.deepcopy(dict(ORDERS.template))
    template["template"]["mappings"]["_meta"]["version"] = version
    change(template["template"])
    return replace(ORDERS, template=template)


def add_channel(template: dict[str, Any]) -> None:
    template["mappings"]["properties"]["channel"] = {"type": "keyword"}
    template["mappings"]["properties"]["lines"]["properties"]["colour"] = {"type": "keyword"}


def index_order(client: Elasticsearch, **more: Any) -> None:
    value = msgspec.json.encode(enriched_order("o1"))
    document = msgspec.json.decode(value) | more
    client.index(index="orders", id="o1", document=document, version=1, version_type="external", refresh=True)


@pytest.fixture
def run(elasticsearch: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("MILLRACE_ELASTICSEARCH_URL", elasticsearch.setup.settings.elasticsearch_url)
    return lambda *arguments: CliRunner().invoke(main, ["search", *arguments])


def test_apply_makes_templates_indices_and_aliases_only_once(
    search_client: Elasticsearch, run: Callable[..., Any]
) -> None:
    first = run("apply", "--yes")
    second = run("apply", "--yes")

    assert (first.exit_code, first.output.splitlines()[-1]) == (0, "done: 4 steps")
    assert (second.exit_code, second.output.count("is as declared")) == (0, 2)
    aliases = {name: set(each["aliases"]) for name, each in search_client.indices.get_alias().items()}
    assert aliases == {"orders-v2": {"orders"}, "fraud-alerts-v1": {"fraud-alerts"}}


def test_apply_without_yes_and_terminal_changes_nothing(search_client: Elasticsearch, run: Callable[..., Any]) -> None:
    result = run("apply")

    assert result.exit_code == 1
    assert "run it again with --yes" in result.output
    assert search_client.indices.get(index="*").body == {}


def test_index_takes_every_event_field_and_refuses_an_undeclared_one(
    search_client: Elasticsearch,
) -> None:
    apply(search_client, declared())
    events = [("enriched-orders", enriched_order("o1")), ("fraud-alerts", fraud_alert("a1"))]

    lines = [action(topic, None, msgspec.json.encode(event)).lines() for topic, event in events]
    answer = search_client.bulk(operations=lines, refresh=True)

    assert [item["index"]["status"] for item in answer["items"]] == [201, 201]
    assert search_client.count(index="fraud-alerts", query={"term": {"features.country": "DE"}})["count"] == 1
    with pytest.raises(BadRequestError, match="strict_dynamic_mapping_exception"):
        index_order(search_client, nickname="Ada")


def test_line_is_found_by_conditions_that_hold_for_the_same_line(search_client: Elasticsearch) -> None:
    apply(search_client, declared())
    index_order(search_client)
    both = [{"term": {"lines.product_id": "p1"}}, {"term": {"lines.quantity": 2}}]

    found = search_client.count(index="orders", query={"nested": {"path": "lines", "query": {"bool": {"must": both}}}})

    assert found["count"] == 1


def test_new_fields_are_added_in_place_and_documents_stay(search_client: Elasticsearch) -> None:
    apply(search_client, [ORDERS])
    index_order(search_client)
    edited = with_change(add_channel)

    done = apply(search_client, [edited])

    assert [step.what for step in done] == ["put template", "add fields"]
    assert "lines.colour (keyword)" in done[1].detail
    [index] = look(search_client, edited).behind
    assert (index.name, index.version) == ("orders-v2", 3)
    assert [step.what for step in plan(edited, look(search_client, edited))] == ["nothing"]
    assert search_client.count(index="orders")["count"] == 1


def another_type(template: dict[str, Any]) -> None:
    template["mappings"]["properties"]["customer_tier"] = {"type": "text"}


def without_a_field(template: dict[str, Any]) -> None:
    del template["mappings"]["properties"]["customer_tier"]


def with_a_subfield(template: dict[str, Any]) -> None:
    template["mappings"]["properties"]["customer_tier"]["fields"] = {"words": {"type": "text"}}


def more_shards(template: dict[str, Any]) -> None:
    template["settings"]["index.number_of_shards"] = "3"


@pytest.mark.parametrize(
    ("change", "expected_text"),
    [
        (another_type, "customer_tier: keyword → text"),
        (without_a_field, "customer_tier is no longer declared"),
        (with_a_subfield, 'customer_tier: keyword → keyword, fields {"words": {"type": "text"}}'),
        (more_shards, "index.number_of_shards: 1 → 3"),
    ],
)
def test_change_that_needs_a_rebuild_is_refused_and_changes_nothing(
    change: Change, expected_text: str, search_client: Elasticsearch
) -> None:
    apply(search_client, [ORDERS])
    edited = with_change(change)

    with pytest.raises(SearchBlockedError) as raised:
        apply(search_client, [ALERTS, edited])

    assert expected_text in str(raised.value)
    assert "run `python -m ops search rebuild orders`" in str(raised.value)
    assert look(search_client, ALERTS).template is None
    assert faults(ORDERS, look(search_client, ORDERS)) == []


def test_changeable_setting_is_set(search_client: Elasticsearch) -> None:
    apply(search_client, [ORDERS])
    edited = with_change(lambda template: template["settings"].update({"index.refresh_interval": "5s"}))

    apply(search_client, [edited])

    [index] = look(search_client, edited).behind
    assert index.settings["index.refresh_interval"] == "5s"


def test_changed_mapping_needs_a_version_and_an_older_file_is_refused(search_client: Elasticsearch) -> None:
    apply(search_client, [with_change(add_channel)])

    [same] = plan(with_change(another_type), look(search_client, ORDERS))
    [older] = plan(ORDERS, look(search_client, ORDERS))

    assert same.what == older.what == "can't"
    assert "both have version 3: raise it" in same.detail
    assert "these files are older than the index" in older.detail


def test_index_named_like_the_alias_and_ambiguous_alias_are_reported(search_client: Elasticsearch) -> None:
    search_client.indices.create(index="orders")
    [taken] = plan(ORDERS, look(search_client, ORDERS))
    search_client.indices.delete(index="orders")
    apply(search_client, [ORDERS])
    search_client.indices.create(index="orders-v7", aliases={"orders": {}})
    [several] = plan(ORDERS, look(search_client, ORDERS))

    assert "there is an index of this name where the alias should be" in taken.detail
    assert "the alias stands for several indices, orders-v2, orders-v7" in several.detail


@pytest.fixture
def foreign_template(search_client: Elasticsearch) -> Iterator[str]:
    """A foreign template by which indices of our names would have one field."""
    name = "theirs"
    search_client.indices.put_index_template(
        name=name,
        index_patterns=["ord*-v*"],
        priority=9_999,
        template={"mappings": {"properties": {"total": {"type": "text"}}}, "settings": {"default_pipeline": "cut"}},
    )
    yield name
    search_client.options(ignore_status=404).indices.delete_index_template(name=name)


def test_foreign_template_for_our_index_is_reported_and_apply_fails(
    search_client: Elasticsearch, foreign_template: str, run: Callable[..., Any]
) -> None:
    before = run("apply", "--yes")
    nothing = search_client.indices.get(index="*").body
    search_client.indices.delete_index_template(name=foreign_template)
    apply(search_client, declared())
    search_client.indices.put_index_template(name=foreign_template, index_patterns=["orders*"], priority=9_999)
    later, rebuilt = run("status"), run("rebuild", "orders", "--yes")

    warning = f"the index template {foreign_template} (priority 9999) takes new indices from millrace-orders (priority "
    assert (before.exit_code, later.exit_code, rebuilt.exit_code) == (1, 1, 1)
    assert all(warning in result.output for result in (before, later, rebuilt))
    assert nothing == {}
    assert sorted(search_client.indices.get(index="*")) == ["fraud-alerts-v1", "orders-v2"]


def test_undeclared_pipeline_and_alias_filter_are_reported_and_removed(
    search_client: Elasticsearch,
) -> None:
    apply(search_client, [ORDERS])
    search_client.indices.put_settings(index="orders-v2", settings={"index.default_pipeline": "cut"})
    search_client.indices.put_alias(index="orders-v2", name="orders", filter={"term": {"currency": "EUR"}})
    found = faults(ORDERS, look(search_client, ORDERS))

    done = apply(search_client, [ORDERS])

    assert [step.what for step in done] == ["set settings", "set alias"]
    assert "index.default_pipeline cut → unset" in found[0]
    assert 'orders without filter {"term": {"currency": "EUR"}}' in found[1]
    assert faults(ORDERS, look(search_client, ORDERS)) == []
    assert search_client.indices.get_alias(name="orders")["orders-v2"]["aliases"]["orders"] == {"is_write_index": True}


def test_template_of_ours_that_was_extended_is_restored(search_client: Elasticsearch) -> None:
    apply(search_client, [ORDERS])
    search_client.cluster.put_component_template(name="theirs", template={"settings": {"index.final_pipeline": "cut"}})
    search_client.indices.put_index_template(
        name=ORDERS.template_name,
        index_patterns=ORDERS.template["index_patterns"],
        priority=ORDERS.template["priority"],
        template=ORDERS.template["template"],
        meta=ORDERS.template["_meta"],
        composed_of=["theirs"],
    )

    done = apply(search_client, [ORDERS])
    search_client.cluster.delete_component_template(name="theirs")  # it is refused while a template uses it

    assert [step.what for step in done] == ["put template"]


def test_index_that_takes_no_documents_is_reported(search_client: Elasticsearch) -> None:
    apply(search_client, [ORDERS])
    search_client.indices.put_settings(index="orders-v2", settings={"index.blocks.write": True})

    assert faults(ORDERS, look(search_client, ORDERS)) == [
        "orders: orders-v2 takes no documents: index.blocks.write is true"
    ]


def test_status_shows_indices_and_fails_when_one_is_missing(
    search_client: Elasticsearch, run: Callable[..., Any]
) -> None:
    missing = run("status")
    apply(search_client, declared())
    index_order(search_client)
    there = run("status")

    assert missing.exit_code == 1
    assert "orders: to do: create index: orders-v2" in missing.output
    assert there.exit_code == 0
    [line] = [line for line in there.output.splitlines() if line.startswith("orders ")]
    assert line.split()[:6] == ["orders", "orders-v2", "2", "of", "2", "1"]
