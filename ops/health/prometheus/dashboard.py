"""Command `health dashboard`: a dashboard for Grafana, with a panel for each check.

It has the classic format, since the later one of the library, `dashboardv2`, needs a recent Grafana.
"""

from collections.abc import Sequence

import click
from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from ops.health.check import YES_OR_NO, Check, Level
from ops.health.checks import by_area
from ops.health.commands import chosen, only
from ops.health.prometheus import metrics

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLORS = {Level.OK: "green", Level.WARN: "orange", Level.UNKNOWN: "purple", Level.FAIL: "red"}
WIDTH = 24
"""Width of a dashboard in Grafana's units."""
STAT_WIDTH = 4
PANELS_IN_A_ROW = 3
HEIGHT = 7


def build(checks: Sequence[Check]) -> str:
    """Return the dashboard as JSON."""
    board = (
        Dashboard("Millrace health")
        .uid("millrace-health")
        .tags(["millrace"])
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_panel(_not_well())
        .with_panel(_age())
    )
    for name, found in by_area(checks).items():
        board.with_row(Row(name))
        for check in found:
            board.with_panel(_panel(check))
    built = board.build()
    for number, panel in enumerate(built.panels or (), start=1):  # links to a panel name its id
        panel.id_val = number
    return JSONEncoder(indent=2, ensure_ascii=False).encode(built)


def _not_well() -> table.Panel:
    """Return a table of the results that aren't ok, the worst first."""
    levels = {
        str(metrics.level_number(level)): ValueMappingResult(level.value, color) for level, color in COLORS.items()
    }
    query = _query(f"{metrics.LEVEL} > {metrics.level_number(Level.OK)}").instant().format(PromQueryFormat.TABLE)
    columns = {
        "excludeByName": dict.fromkeys(("Time", "__name__", "instance", "job"), True),
        "indexByName": {"Value": 0, "check": 1, "subject": 2},
        "renameByName": {"Value": "level"},
    }
    is_colored = DynamicConfigValue("custom.cellOptions", {"type": "color-background"})
    return (
        table.Panel()
        .title("Results that aren't ok")
        .description("docs/runbooks.md has a section for each check.")
        .datasource(SOURCE)
        .with_target(query)
        .with_transformation(DataTransformerConfig("organize", options=columns))
        .sort_by([common.TableSortByFieldState().display_name("level").desc(True)])
        .override_by_name("level", [DynamicConfigValue("mappings", [ValueMap(levels)]), is_colored])
        .no_value("All is ok.")
        .span(WIDTH - STAT_WIDTH)
        .height(HEIGHT)
    )


def _age() -> stat.Panel:
    """Return how long ago the results were found."""
    return (
        stat.Panel()
        .title("Age of the results")
        .datasource(SOURCE)
        .with_target(_query(f"time() - {metrics.ENDED}").instant())
        .unit("s")
        .no_value("no exporter")
        .span(STAT_WIDTH)
        .height(HEIGHT)
    )


def _panel(check: Check) -> timeseries.Panel:
    """Return the values of a check over time, with a line for each threshold."""
    limits = ((None, Level.OK), (check.warn, Level.WARN), (check.fail, Level.FAIL))
    factor = metrics.unit(check).factor
    steps = [
        Threshold(None if limit is None else limit * factor, COLORS[level])
        for limit, level in limits
        if limit is not None or level is Level.OK
    ]
    panel = (
        timeseries.Panel()
        .title(check.question)
        .description(f"{check.why} See docs/runbooks.md#{check.id}.")
        .datasource(SOURCE)
        .with_target(_query(metrics.gauge(check)).legend_format("{{subject}}"))
        .unit(metrics.unit(check).grafana)
        .min(0)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
        .span(WIDTH // PANELS_IN_A_ROW)
        .height(HEIGHT)
    )
    if check.unit == YES_OR_NO:
        words = {"0": ValueMappingResult("yes"), "1": ValueMappingResult("no")}
        panel.mappings([ValueMap(words)]).decimals(0)
    return panel


def _query(expression: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).ref_id("A").expr(expression)


@click.command("dashboard")
@only
def dashboard(ids: tuple[str, ...]) -> None:
    """Print a dashboard for Grafana, as JSON to import."""
    click.echo(build(chosen(ids)))
