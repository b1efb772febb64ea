"""Starts, stops and inspects the stack.

Nothing monitors it in the background: a service that stops stays stopped until `up` or `start` restarts it.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import notifier
from connectors.outage import Report
from local.stack import preflight, processes
from local.stack.dependency_order import run_in_dependency_order
from local.stack.service import Place, Service, UnhealthyError
from local.stack.services import declared as services
from local.stack.services import flink_cluster, flink_taskmanager
from local.stack.setup import Setup
from local.stack.starting import StackError, bring_up, stop
from toolchain.cache import exclusive


@dataclass(frozen=True)
class Status:
    """Status of one service."""

    service: Service
    pid: int | None
    """Process id; None if the service doesn't run."""
    fault: str
    """Why it can't be used; empty if it can."""


class Stack:
    """The services of one state folder."""

    def __init__(self, setup: Setup, report: Report = print) -> None:
        """Store the setup; nothing is started.

        Args:
            report: gets progress messages.
        """
        self.setup = setup
        self._report = report

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        task_managers: int | None = None,
        report: Report = print,
    ) -> Self:
        """Create the stack that `MILLRACE_*` describe.

        Args:
            task_managers: number of TaskManagers, instead of the setting.

        Raises:
            SettingsError: a value is malformed.
        """
        setup = Setup.from_environment(environment)
        if task_managers is not None:
            setup = replace(setup, local=replace(setup.local, flink_task_managers=str(task_managers)))
        return cls(setup, report)

    def up(self, only: Collection[str] = ()) -> None:
        """Start what doesn't run, and restart what runs but can't be used; the rest is left alone.

        Args:
            only: names of services, which are started with those that they need; all of them if empty.

        Raises:
            StackError: a service didn't become healthy. What was started continues to run until `down`.
            PreflightError: the machine doesn't meet the requirements; nothing was started.
        """
        declared = services.declare(self.setup, int(self.setup.local.flink_task_managers))
        self._require_known(only, declared)
        chosen = services.with_needed(declared, only or [service.name for service in declared])
        preflight.require(preflight.before_start(self.setup, chosen))
        with self._alone():
            surplus = [] if only else [s for s in self._on_disk() if s.name not in {d.name for d in declared}]
            self._stop_all(surplus)
            self._write_wanted({*(self._wanted() if only else ()), *(service.name for service in chosen)})
            self._bring_up_all(chosen)

    def down(self, *, delete_data: bool = False) -> None:
        """Stop all services of this state folder, by whatever process they were started; leaves no process and no port.

        Args:
            delete_data: whether to delete what was written: topics, checkpoints, logs.
        """
        if not self.setup.state.is_dir():
            return
        with self._alone():
            self._stop_all(self._on_disk())
            self._wanted_file.unlink(missing_ok=True)
            if delete_data:
                for place in self._places():
                    shutil.rmtree(place.folder)

    def start(self, name: str) -> None:
        """Start one service, as `up` would, and wait until it is healthy.

        Raises:
            StackError: there is no such service, or it didn't become healthy.
        """
        service = self.service(name)
        with self._alone():
            self._write_wanted({*self._wanted(), name})
            self._bring_up_all([service])

    def kill(self, name: str) -> int:
        """Kill one service with SIGKILL, as a crash would; return its process id.

        Raises:
            StackError: there is no such service, or it doesn't run.
        """
        recorded = processes.running(self.service(name).place.pid_file)
        if recorded is None:
            raise StackError(f"{name} doesn't run, so it can't be killed")
        processes.kill(recorded)
        return recorded.pid

    def status(self) -> list[Status]:
        """Return the status of every service that should run or does, in start order; empty if there is none."""
        wanted = self._wanted()
        shown = [s for s in self._declared_and_found() if s.name in wanted or s.place.pid_file.exists()]
        if not shown:
            return []
        with ThreadPoolExecutor(len(shown)) as pool:
            return list(pool.map(_status, shown))

    def names(self) -> list[str]:
        """Return the names of all services, in start order."""
        return [service.name for service in self._declared_and_found()]

    def service(self, name: str) -> Service:
        """Return the declaration of a service.

        Raises:
            StackError: there is none with this name.
        """
        declared = self._declared_and_found()
        self._require_known([name], declared)
        return next(service for service in declared if service.name == name)

    def _require_known(self, names: Iterable[str], declared: Collection[Service]) -> None:
        known = [service.name for service in declared]
        for name in names:
            if name not in known:
                raise StackError(f"there is no service {name!r}; there are {', '.join(known)}")

    def _declared_and_found(self) -> list[Service]:
        """Return the services of the settings, and TaskManagers that an earlier `up` added."""
        numbers = [flink_taskmanager.number(place.service) for place in self._places()]
        count = max([int(self.setup.local.flink_task_managers), *numbers])
        return services.in_start_order(services.declare(self.setup, count))

    def _on_disk(self) -> list[Service]:
        """Return the services that were started and not stopped, whether they still run or not."""
        return [service for service in self._declared_and_found() if service.place.pid_file.exists()]

    def _places(self) -> list[Place]:
        """Return the places of our folders in the state folder."""
        names = {service.name for service in services.declare(self.setup, 1)}
        names |= {flink_cluster.SHARED, notifier.NAME}
        found = sorted(self.setup.state.iterdir()) if self.setup.state.is_dir() else []
        return [self.setup.place(f.name) for f in found if f.name in names or flink_taskmanager.number(f.name)]

    @property
    def _wanted_file(self) -> Path:
        return self.setup.state / "wanted"

    def _wanted(self) -> set[str]:
        return set(self._wanted_file.read_text().split()) if self._wanted_file.exists() else set()

    def _write_wanted(self, names: Iterable[str]) -> None:
        """Record which services should run from now on."""
        self._wanted_file.write_text("".join(f"{name}\n" for name in sorted(names)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make other processes wait that would start or stop the same stack."""
        with exclusive(self.setup.state, self._report):
            yield

    def _bring_up_all(self, chosen: Iterable[Service]) -> None:
        ordered = services.in_start_order(chosen)
        by_name = {service.name: service for service in ordered}
        run_in_dependency_order(
            list(by_name),
            {service.name: service.after for service in ordered},
            lambda name, give_up: bring_up(by_name[name], self._report_for(name), give_up),
        )

    def _stop_all(self, chosen: Iterable[Service]) -> None:
        """Stop services in reverse order, each after those that need it."""
        ordered = services.in_start_order(chosen)
        by_name = {service.name: service for service in reversed(ordered)}
        run_in_dependency_order(
            list(by_name),
            {s.name: [other.name for other in ordered if s.name in other.after] for s in ordered},
            lambda name, _: stop(by_name[name], self._report_for(name)),
        )

    def _report_for(self, name: str) -> Report:
        return lambda text: self._report(f"{name}: {text}")


def _status(service: Service) -> Status:
    recorded = processes.read(service.place.pid_file)
    if recorded is None:
        return Status(service, None, "was not started")
    if not recorded.runs():
        return Status(service, None, f"has gone: process {recorded.pid} ended without being stopped")
    try:
        service.health()
    except UnhealthyError as fault:
        return Status(service, recorded.pid, str(fault))
    return Status(service, recorded.pid, "")
