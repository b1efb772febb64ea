"""`python -m local.stack up|down|status|logs`: the local stack on the command line."""

import logging
import os
import sys
import time

import click

from connectors.settings import SettingsError
from local.stack.preflight import PreflightError
from local.stack.services import flink_jobmanager
from local.stack.services.flink_cluster import FlinkConfigurationError
from local.stack.starting import StackError
from local.stack.supervisor import Stack, Status
from ops.formats import table
from ops.jobs.lost_jobs import lost_jobs
from toolchain.build import CompileError
from toolchain.cache import CacheError
from toolchain.jars import JarsError
from toolchain.java import JavaError

FAULTS = (
    CacheError,
    CompileError,
    FlinkConfigurationError,
    JarsError,
    JavaError,
    PreflightError,
    SettingsError,
    StackError,
)


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Run the command; report errors that can be fixed outside the program without a traceback."""
        try:
            return super().invoke(ctx)
        except FAULTS as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, help="Kafka, the schema registry, PostgreSQL, Kafka Connect and Flink on this machine.")
def main() -> None:
    """Command line."""
    # While a broker is unavailable its client logs so on stderr repeatedly; here the stack reports it, once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


@main.command(help="Start what doesn't run, restart what isn't healthy; then show where everything is.")
@click.argument("services", nargs=-1)
@click.option("--taskmanagers", type=click.IntRange(1, 99), help="How many; each has two slots.")
def up(services: tuple[str, ...], taskmanagers: int | None) -> None:
    """Start."""
    stack = Stack.from_environment(task_managers=taskmanagers, report=_report)
    started = time.monotonic()
    try:
        stack.up(services)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; what was started runs until `python -m local.stack down`") from None
    _show(stack.status())
    _report(f"stack: up after {time.monotonic() - started:.1f} s; data and logs are in {stack.setup.state}")
    for words in _lost(stack):
        _report(words)


@main.command(help="Stop everything; what was written stays.")
@click.option("--delete-data", is_flag=True, help="Delete topics, checkpoints and logs too.")
def down(delete_data: bool) -> None:
    """Stop."""
    stack = Stack.from_environment(report=_report)
    stack.down(delete_data=delete_data)
    _report("stack: nothing is running" + (", its data is deleted" if delete_data else ""))


@main.command(help="Show each service; exit status 1 if one that should be healthy isn't.")
def status() -> None:
    """Look."""
    found = Stack.from_environment().status()
    if not found:
        _report("stack: nothing is running")
        return
    _show(found)
    sys.exit(1 if any(each.fault for each in found) else 0)


@main.command(help="Show the end of a service's log; without SERVICE, which there are.")
@click.argument("service", required=False)
@click.option("-n", "--lines", default=40, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes.")
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Read."""
    stack = Stack.from_environment()
    if service is None:
        _report(f"name a service: {', '.join(stack.names())}")
        sys.exit(2)
    place = stack.service(service).place
    files = [str(path) for path in (place.output, place.log) if path.exists()]
    if not files:
        raise click.ClickException(f"{service} has never run: there is no {place.log}")
    os.execvp("tail", ["tail", *(["-F"] if follow else []), "-n", str(lines), "-v", *files])


def _lost(stack: Stack) -> list[str]:
    """Return the jobs that the JobManager has lost, if it runs."""
    is_there = any(each.service.name == flink_jobmanager.NAME and not each.fault for each in stack.status())
    return [job.in_words() for job in lost_jobs(stack.setup.settings)] if is_there else []


def _show(found: list[Status]) -> None:
    rows = [(s.service.name, _state(s), s.pid or "-", s.service.address, s.service.place.log) for s in found]
    _report(table(("service", "state", "pid", "address", "log"), rows))
    for each in found:
        if each.fault:
            _report(f"{each.service.name} {each.fault}")


def _state(status: Status) -> str:
    if not status.fault:
        return "healthy"
    return "NOT HEALTHY" if status.pid else "NOT RUNNING"


def _report(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
