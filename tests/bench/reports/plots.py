"""Draw what was measured: `python -m tests.bench.reports.plots FILE FOLDER`, with the peers' environment.

FILE is `bench-results.json`; FOLDER gets throughput.svg, latency.svg and scale.svg. The same file gives the same bytes.
Backgrounds are transparent, and all colours dark enough for a light page and light enough for a dark one.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tests.bench.reports.plot_data import PERCENTILES, Line, growth_lines, latency_lines, throughput_bars
from tests.bench.reports.results import Report, read

TEXT, FAINT, OURS, OTHERS = "#787878", "#78787855", "#d9680f", "#8c8c8c"
LINES = (OURS, "#2f80c2", "#4c9a5f", "#a868c0")
STYLE = {
    "svg.hashsalt": "millrace",
    # Text stays text: files are small, and screen readers and searches find it.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
}


def main() -> None:
    """Command line."""
    file, folder = map(Path, sys.argv[1:])
    report = read(file)
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("svg")
    with mpl.rc_context(STYLE):
        for name, draw, results in (
            ("throughput", draw_throughput, report.throughput),
            ("latency", draw_latency, report.latency),
            ("scale", draw_scale, report.growth),
        ):
            if not results:
                print(f"nothing was measured for {name}.svg")
                continue
            draw(report).savefig(folder / f"{name}.svg", metadata={"Date": None}, transparent=True)
            print(folder / f"{name}.svg")


def draw_throughput(report: Report) -> Any:
    """Draw a bar for each contender, and a panel for each topic and number of cores."""
    panels = throughput_bars(report.throughput)
    height = 0.9 + 0.36 * max(map(len, panels.values()))
    figure, axes = _panels(len(panels), height)
    for axis, ((cores, payments), bars) in zip(axes, panels.items(), strict=True):
        drawn = axis.barh(
            [bar.label for bar in bars],
            [bar.length for bar in bars],
            color=[OURS if bar.is_ours else OTHERS for bar in bars],
            height=0.62,
        )
        axis.bar_label(drawn, [f"{bar.length:,.0f}" for bar in bars], padding=4)
        axis.invert_yaxis()
        axis.margins(x=0.3)
        axis.spines[["left", "bottom"]].set_visible(False)
        axis.tick_params(length=0)
        axis.set_xticks([])
        axis.set_title(f"{payments:,} payments, {'one core' if cores == 1 else f'{cores} cores'}")
        axis.set_xlabel("payments a CPU-second")
    return figure


def draw_latency(report: Report) -> Any:
    """Draw percentiles: a line for each load, and a panel for what happened at that time."""
    panels = latency_lines(report.latency)
    figure, axes = _panels(len(panels), 3.2, sharey=True)
    colours = _colours(panels.values())
    for axis, (when, lines) in zip(axes, panels.items(), strict=True):
        _draw(axis, lines, colours)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(FuncFormatter(_number))
        axis.set_xticks(range(len(PERCENTILES)), PERCENTILES)
        axis.set_title("steady load" if when == "steady" else f"during a {when}")
        axis.set_xlabel("percentile of alerts")
    axes[0].set_ylabel("payment to alert, ms")
    return figure


def draw_scale(report: Report) -> Any:
    """Draw throughput by each of what grows, and the size of the state by cards and by payments a card."""
    speed = growth_lines(report.growth, lambda each: each.records_a_cpu_second)
    size = growth_lines(report.growth, lambda each: each.state_bytes / 1e6)
    panels = [(grows, "payments a CPU-second", lines) for grows, lines in speed.items() if lines]
    panels += [(grows, "state, MB", size[grows]) for grows in ("cards", "events a card") if size[grows]]
    figure, axes = _panels(len(panels), 2.8, columns=3)
    colours = _colours(lines for _, _, lines in panels)
    for axis, (grows, what, lines) in zip(axes, panels, strict=True):
        _draw(axis, lines, colours)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks([x for x, _ in lines[0].points])
        # The same scale wherever the same is drawn, so that slopes can be compared.
        values = [y for _, other, drawn in panels if other == what for line in drawn for _, y in line.points]
        axis.set_ylim(min(values) / 1.7, max(values) * 1.7)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for one in (axis.xaxis, axis.yaxis):
            one.set_major_formatter(FuncFormatter(_number))
            one.set_minor_formatter(NullFormatter())
        axis.set_xlabel(grows if grows != "events a card" else "payments of a card in 24 hours")
        axis.set_ylabel(what)
    return figure


def _panels(number: int, height: float, *, columns: int = 3, sharey: bool = False) -> tuple[Any, Sequence[Any]]:
    lines = -(-number // columns)
    across = min(number, columns)
    figure, axes = pyplot.subplots(
        lines,
        across,
        figsize=(4.0 * max(across, 1.5), height * lines),
        squeeze=False,
        sharey=sharey,
        layout="constrained",
    )
    for unused in axes.flat[number:]:
        unused.set_visible(False)
    return figure, list(axes.flat[:number])


def _colours(panels: Iterable[Sequence[Line]]) -> dict[str, str]:
    """Label → its colour in every panel."""
    labels = dict.fromkeys(line.label for lines in panels for line in lines)
    return dict(zip(labels, LINES, strict=False))


def _draw(axis: Any, lines: Sequence[Line], colours: Mapping[str, str]) -> None:
    for line in lines:
        xs, ys = zip(*line.points, strict=True)
        axis.plot(xs, ys, color=colours[line.label], marker="o", markersize=4, linewidth=1.6, label=line.label)
    axis.grid(axis="y")
    axis.tick_params(which="both", length=0)
    if len(colours) > 1:
        axis.legend(labelcolor="linecolor", fontsize=9, handlelength=1.2)


def _number(value: float, _place: object) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


if __name__ == "__main__":
    main()
