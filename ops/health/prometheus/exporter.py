"""Command `health serve`: an exporter of all results for Prometheus.

The checks are evaluated in one loop and not for each scrape: a service that doesn't answer takes up to 20 seconds. A
scrape gets the results of the last evaluation that ended. If one hangs or raises, the time of the last stands still.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from connectors.settings import Settings
from ops.cli import Address, cannot_listen, in_url
from ops.frontier.observer import Observer, Picture
from ops.health.check import YES_OR_NO, Check, Result, evaluate_all, in_one_line
from ops.health.commands import chosen, only
from ops.health.prometheus import metrics
from ops.health.scope import Scope


@dataclass(frozen=True)
class Evaluation:
    """Results of all checks at one moment."""

    results: Sequence[Result]
    """The worst first."""
    ended_at: float
    """Unix timestamp."""
    seconds: float
    """Duration."""
    picture: Picture | None = None
    """Frontiers, if they are exported."""


class Exporter(Collector):
    """Metrics of the last evaluation that ended; what it didn't find has none."""

    def __init__(self, checks: Sequence[Check], pause: float, observer: Observer | None = None) -> None:
        """Create an exporter without results.

        Args:
            pause: time between two evaluations in seconds.
            observer: finds the frontiers, if they are exported too.
        """
        self._checks = checks
        self._pause = pause
        self._observer = observer
        self._last: Evaluation | None = None

    def evaluate(self, scope: Scope) -> None:
        """Evaluate all checks, and let their results take the place of the last ones."""
        began = time.monotonic()
        results = evaluate_all(self._checks, scope)
        picture = self._observer.observe(scope) if self._observer else None
        self._last = Evaluation(results, time.time(), time.monotonic() - began, picture)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all metrics; called for each scrape."""
        last = self._last
        results = _without_repeats(last.results) if last else []
        level = GaugeMetricFamily(
            metrics.LEVEL,
            "Level of a result: 0 ok, 1 warn, 2 unknown, 3 fail. A check that can't be made has no subject.",
            labels=["check", "subject"],
        )
        for each in results:
            level.add_metric([each.check.id, each.subject], metrics.level_number(each.level))
        yield level
        for check in self._checks:
            yield _values(check, [each for each in results if each.check == check])
        yield GaugeMetricFamily(metrics.PAUSE, "Time between two evaluations of the checks.", self._pause)
        ended = GaugeMetricFamily(metrics.ENDED, "When the last evaluation of the checks ended.")
        duration = GaugeMetricFamily(metrics.DURATION, "Duration of the last evaluation of the checks.")
        if last:
            ended.add_metric([], last.ended_at)
            duration.add_metric([], last.seconds)
        yield from (ended, duration)
        if self._observer:
            yield from _frontiers(last.picture if last else None)


def _without_repeats(results: Sequence[Result]) -> list[Result]:
    """Return the worst result of each check and subject: two jobs may have one name, and no series may come twice."""
    worst: dict[tuple[str, str], Result] = {}
    for each in results:
        worst.setdefault((each.check.id, each.subject), each)
    return list(worst.values())


def _values(check: Check, results: Sequence[Result]) -> GaugeMetricFamily:
    meaning = " 0 is yes, 1 is no." if check.unit == YES_OR_NO else ""
    family = GaugeMetricFamily(metrics.gauge(check), f"{check.question}{meaning}", labels=["subject"])
    for each in results:
        if each.value is not None:
            family.add_metric([each.subject], each.value * metrics.unit(check).factor)
    return family


def _frontiers(picture: Picture | None) -> Iterator[GaugeMetricFamily]:
    """Yield the event times up to which everything is reflected; none of what is unknown."""
    of_arrows = GaugeMetricFamily(
        metrics.FRONTIER,
        "Event time up to which each record of the topic is reflected where the program writes.",
        labels=["program", "topic"],
    )
    of_sinks = GaugeMetricFamily(
        metrics.SINK_FRONTIER,
        "Event time up to which each order, payment and change is in the kind of sink.",
        labels=["sink"],
    )
    if picture:
        for arrow, found in picture.arrows.items():
            if found.up_to is not None:
                of_arrows.add_metric([arrow.program.name, arrow.topic.name], found.up_to / 1000)
        for sink, found in picture.sinks().items():
            if found.up_to is not None:
                of_sinks.add_metric([sink], found.up_to / 1000)
    yield from (of_arrows, of_sinks)


@contextmanager
def serving(exporter: Exporter, host: str, port: int) -> Iterator[str]:
    """Serve an exporter's metrics while the block runs; yield where.

    Raises:
        ClickException: nothing can listen there.
    """
    registry = CollectorRegistry(auto_describe=True)
    registry.register(exporter)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise cannot_listen(error, host, port, "another exporter") from error
    try:
        yield f"http://{in_url(host)}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@click.command("serve")
@click.option(
    "--address", type=Address("127.0.0.1:9464"), default="127.0.0.1:9464", show_default=True, help="Where to listen."
)
@click.option(
    "--every",
    "pause",
    type=click.FloatRange(min=1),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="Time between two evaluations.",
)
@only
def serve(address: tuple[str, int], pause: float, ids: tuple[str, ...]) -> None:
    """Export all results as metrics for Prometheus, until interrupted.

    Evaluates the checks again and again, whoever scrapes. Exit status 0 after Ctrl-C or SIGTERM.
    """
    checks, settings = chosen(ids), Settings.from_environment()
    exporter = Exporter(checks, pause, None if ids else Observer())
    try:
        with serving(exporter, *address) as place:
            click.echo(f"{place} has the results; Ctrl-C ends it")
            while True:
                try:
                    exporter.evaluate(Scope(settings))
                except Exception as error:  # noqa: BLE001 - the next evaluation may succeed; an alert watches the time
                    click.echo(f"the checks were not evaluated: {in_one_line(error)}", err=True)
                time.sleep(pause)
    except KeyboardInterrupt:
        return  # also of SIGTERM: ops/__main__.py
