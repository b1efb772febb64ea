"""Draw a flame graph: `python -m tests.bench.reports.flame_graph PROFILE FILE.svg [FROM]`, with the peers' environment.

PROFILE is what Flink's profiler or py-spy wrote (profiles.py). With FROM only what is above functions whose name
contains it is drawn. A function is as wide as its share of the time, and lies on the one that called it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.patches import Rectangle

from tests.bench.reports.plots import STYLE
from tests.bench.reports.profiles import Frame, above, read

INCHES, LEVEL_INCHES = 12.0, 0.19
CHARACTERS = 190
"""Number of characters that fit into the whole width."""
WARM = ("#f2b279", "#eda15f", "#e8924a", "#e3a878", "#f0bd8e")


def main() -> None:
    """Command line."""
    profile, file, *where = sys.argv[1:]
    frames = read(Path(profile).read_text("utf-8"))
    mpl.use("svg")
    with mpl.rc_context(STYLE):
        draw(above(frames, where[0]) if where else frames).savefig(file, metadata={"Date": None}, transparent=True)
    print(file)


def draw(frames: Sequence[Frame]) -> pyplot.Figure:
    """Draw the frames, callers below."""
    levels = max(frame.level for frame in frames)
    figure, axis = pyplot.subplots(figsize=(INCHES, LEVEL_INCHES * (levels + 1)), layout="constrained")
    for frame in frames:
        # The same function has the same colour in each graph.
        colour = WARM[crc32(frame.name.encode()) % len(WARM)]
        axis.add_patch(
            Rectangle(
                (frame.left, frame.level - 1), frame.width, 0.94, facecolor=colour, edgecolor="white", linewidth=0.3
            )
        )
        room = int(frame.width * CHARACTERS) - 1
        if room >= 4:
            shown = frame.name if len(frame.name) <= room else frame.name[: room - 1] + "…"
            where = (frame.left + 0.0015, frame.level - 0.55)
            axis.text(*where, shown, fontsize=7, color="#222222", va="center", parse_math=False)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, levels)
    axis.set_axis_off()
    return figure


if __name__ == "__main__":
    main()
