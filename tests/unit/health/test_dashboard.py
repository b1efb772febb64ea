"""The dashboard has a panel for each declared check, with its thresholds, and asks for metrics that are exported."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from promql_parser import parse

from ops.__main__ import main
from ops.health.check import Check
from ops.health.checks import CHECKS, by_area
from ops.health.prometheus.exporter import Exporter
from ops.health.prometheus.metrics import gauge, unit
from tests.builders.promql import metrics_in


def printed(*arguments: str) -> dict[str, Any]:
    """Return the dashboard that the command prints."""
    done = CliRunner().invoke(main, ["health", "dashboard", *arguments])
    assert done.exit_code == 0
    document: dict[str, Any] = json.loads(done.stdout)
    return document


DASHBOARD = printed()
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
EXPORTED = {family.name for family in Exporter(CHECKS, 15).collect()}


def targets() -> list[dict[str, Any]]:
    return [target for panel in PANELS for target in panel.get("targets", ())]


def panel_of(check: Check) -> dict[str, Any]:
    """Return the panel of a check's values."""
    [found] = [each for each in PANELS if [one["expr"] for one in each.get("targets", ())] == [gauge(check)]]
    return found


def test_every_query_parses_and_asks_for_what_is_exported() -> None:
    for target in targets():
        parse(target["expr"])
        assert metrics_in(target["expr"]) <= EXPORTED


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_check_has_a_panel_with_its_unit_and_thresholds_and_the_way_to_its_runbook(check: Check) -> None:
    panel = panel_of(check)

    defaults = panel["fieldConfig"]["defaults"]
    limits = [step["value"] for step in defaults["thresholds"]["steps"]]
    assert panel["title"] == check.question
    assert panel["description"].endswith(f" See docs/runbooks.md#{check.id}.")
    assert limits == [None, *(each * unit(check).factor for each in (check.warn, check.fail) if each is not None)]
    assert defaults["unit"] == unit(check).grafana
    assert defaults["custom"]["thresholdsStyle"]["mode"] == "dashed"


def test_what_is_not_well_comes_first_then_the_checks_by_area_in_their_order() -> None:
    titles = [panel["title"] for panel in PANELS]

    areas = by_area(CHECKS)
    expected = [title for area, found in areas.items() for title in (area, *(each.question for each in found))]
    assert titles == ["Results that aren't ok", "Age of the results", *expected]
    assert PANELS[0]["targets"][0]["expr"] == "millrace_check_level > 0"
    assert [each for found in areas.values() for each in found] == list(CHECKS)


def test_every_panel_has_its_own_id_and_place() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]

    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    assert len(set(places)) == len(PANELS)


def test_data_source_is_chosen_in_the_dashboard() -> None:
    [variable] = DASHBOARD["templating"]["list"]
    sources = [panel["datasource"] for panel in PANELS if "targets" in panel] + [
        each["datasource"] for each in targets()
    ]

    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_only_the_chosen_checks_have_panels() -> None:
    panels = printed("--only", "rules-missing", "--only", "job-busy")["panels"]

    assert [panel["title"] for panel in panels][2::2] == ["Rules", "Jobs"]
    assert len(panels) == 6
