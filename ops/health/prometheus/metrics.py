"""Names, units and values of the metrics: the exporter, the alert rules and the dashboard have them from here."""

from dataclasses import dataclass

from ops.health.check import MEGABYTES, SECONDS, SHARE, TIMES, YES_OR_NO, Check, Level

LEVEL = "millrace_check_level"
"""Level of each result; its labels are `check` and `subject`."""
ENDED = "millrace_health_last_evaluation_timestamp_seconds"
DURATION = "millrace_health_last_evaluation_duration_seconds"
PAUSE = "millrace_health_evaluation_pause_seconds"
FRONTIER = "millrace_frontier_timestamp_seconds"
"""Frontier of each arrow; its labels are `program` and `topic`."""
SINK_FRONTIER = "millrace_frontier_sink_timestamp_seconds"
"""Frontier of each kind of sink; its label is `sink`."""


@dataclass(frozen=True)
class Unit:
    """How values of a check's unit appear in Prometheus and in Grafana."""

    suffix: str
    """Base unit that ends the metric's name; empty for what is counted."""
    factor: float
    """Number of base units in a unit of the check."""
    grafana: str
    """Id of the unit in Grafana."""
    template: str
    """Value in an alert's annotation, as a template of Prometheus; of an alert, the answer to a question is no."""


_UNITS = {
    YES_OR_NO: Unit("", 1, "short", "no"),
    SECONDS: Unit("seconds", 1, "s", "{{ $value | humanizeDuration }}"),
    SHARE: Unit("ratio", 1, "percentunit", "{{ $value | humanizePercentage }}"),
    MEGABYTES: Unit("bytes", 1_000_000, "decbytes", "{{ $value | humanize }}B"),
}


def unit(check: Check) -> Unit:
    """Return how a check's values appear."""
    suffix = "ratio" if check.unit.startswith(TIMES) else ""
    return _UNITS.get(check.unit) or Unit(suffix, 1, "short", f"{{{{ $value | humanize }}}} {check.unit}")


def gauge(check: Check) -> str:
    """Return the name of the metric that has a check's values, in base units; its label is `subject`."""
    suffix = unit(check).suffix
    stem = check.id.removesuffix(f"-{suffix}")
    if check.unit == SHARE:  # a share is called a ratio
        stem = stem.removesuffix("-share")
    return "_".join(filter(None, ["millrace", *stem.split("-"), suffix]))


def level_number(level: Level) -> int:
    """Return the value of `LEVEL`: 0 ok, 1 warn, 2 unknown, 3 fail."""
    return Level.OK.severity - level.severity
