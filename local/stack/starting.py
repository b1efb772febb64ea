"""Starts one service and waits until it is healthy, or stops it."""

import hashlib
import os
import shutil
import threading
import time
from collections import deque
from pathlib import Path

from connectors.outage import Report
from local.stack import processes
from local.stack.dependency_order import GivenUpError
from local.stack.processes import Recorded, Surroundings
from local.stack.service import DEFAULT_PATH, UNPRIVILEGED, Launch, Service, UnhealthyError
from toolchain.cache import make_folder

PATIENCE_SECONDS = 10.0
"""How long a service that was found running may be unhealthy before it is restarted."""
POLL_SECONDS = 0.1
SECONDS_BETWEEN_REPORTS = 5.0
LINES_OF_LOG = 15


class StackError(RuntimeError):
    """The stack can't be started as requested; the text says which service, why, and where to look."""


def bring_up(service: Service, report: Report, give_up: threading.Event) -> None:
    """Start a service, unless it already runs as it should.

    Raises:
        StackError: it ended, or didn't become healthy in time; its remaining processes continue to run.
        GivenUpError: the caller has stopped waiting.
    """
    launch = service.launch()
    recorded = processes.read(service.place.pid_file)
    if recorded:
        fault = _fault_of_found(service, launch, recorded, give_up)
        if not fault:
            report(f"runs already (process {recorded.pid})")
            return
        report(f"process {recorded.pid} {fault}; it is started again")
        stop(service, report)
    started = time.monotonic()
    _start(service, launch)
    try:
        _wait_until_healthy(service, service.ready_within_seconds, report, give_up)
    except UnhealthyError as fault:
        raise StackError(f"{service.name} {fault}\n{_end_of_logs(service)}") from None
    report(f"healthy after {time.monotonic() - started:.1f} s")


def stop(service: Service, report: Report) -> None:
    """Stop a service and everything that it started, and delete its pid file."""
    recorded = processes.read(service.place.pid_file)
    if recorded and recorded.alive():
        started = time.monotonic()
        for words in processes.stop(recorded, service.stop_signal, service.stop_within_seconds):
            report(words)
        report(f"stopped after {time.monotonic() - started:.1f} s")
    if recorded:
        processes.free_shared_memory(recorded)
        for left in service.lock_files:
            left.unlink(missing_ok=True)
    service.place.pid_file.unlink(missing_ok=True)


def _fault_of_found(service: Service, launch: Launch, recorded: Recorded, give_up: threading.Event) -> str:
    """Return why a process of an earlier start can't be kept; empty if it can."""
    if not recorded.runs():
        return "has gone without being stopped"
    if recorded.fingerprint != _fingerprint(launch):
        return "was started with other settings"
    if newer := _needed_and_newer(service, recorded):
        return f"knows only the predecessor of {newer}"
    try:
        _wait_until_healthy(service, PATIENCE_SECONDS, None, give_up)
    except UnhealthyError as fault:
        return str(fault)
    return ""


def _needed_and_newer(service: Service, recorded: Recorded) -> str:
    """Return a required service that was started after this one, which can take half a minute to notice that."""
    for name in service.after:
        needed = processes.running(service.place.next_to(name).pid_file)
        if needed and needed.start_ticks > recorded.start_ticks:
            return name
    return ""


def _start(service: Service, launch: Launch) -> None:
    place = service.place
    user = UNPRIVILEGED if service.unprivileged and os.geteuid() == 0 else None
    make_folder(place.conf)
    shutil.rmtree(place.temporary, ignore_errors=True)
    for own in (place.data, place.log.parent, place.temporary):
        make_folder(own)
        if user is not None:
            os.chown(own, user, user)
    for file, text in launch.files.items():
        make_folder(file.parent)
        file.write_text(text)
        file.chmod(0o644)
    with place.output.open("wb") as output:
        environment = {"PATH": DEFAULT_PATH, "LANG": "C.UTF-8", "HOME": str(place.folder), **launch.environment}
        surroundings = Surroundings(environment, place.folder, output, user)
        try:
            for step in launch.before:
                if status := surroundings.run(step.command, step.stdin):
                    raise StackError(f"{service.name}: exit status {status} of {step.command}\n{_end_of_logs(service)}")
            processes.start(launch.command, surroundings, place.pid_file, _fingerprint(launch))
        except OSError as error:
            by = "" if user is None else f" by user {user}"
            raise StackError(f"{service.name}: {launch.command[0]} can't be run{by}: {error}") from error


def _wait_until_healthy(
    service: Service, within_seconds: float, report: Report | None, give_up: threading.Event
) -> None:
    started = reported = time.monotonic()
    while True:
        if not processes.running(service.place.pid_file):
            raise UnhealthyError("has ended by itself")
        try:
            service.health()
        except UnhealthyError as fault:
            elapsed = time.monotonic() - started
            if elapsed > within_seconds:
                raise UnhealthyError(f"is still not healthy after {elapsed:.0f} s: it {fault}") from None
            if report and time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                report(f"{fault} ({elapsed:.0f} s)")
        else:
            return
        if give_up.wait(POLL_SECONDS):
            raise GivenUpError(service.name)


def _end_of_logs(service: Service) -> str:
    place = service.place
    return "\n".join(
        f"--- the end of {path}\n{_last_lines(path)}" for path in (place.log, place.output) if path.exists()
    )


def _last_lines(path: Path) -> str:
    with path.open(errors="replace") as lines:
        return "".join(deque(lines, LINES_OF_LOG)).rstrip()


def _fingerprint(launch: Launch) -> str:
    """Return a digest of what a process is started with: if it changes, a running process is out of date."""
    parts = (launch.command, sorted(launch.files.items()), sorted(launch.environment.items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
