"""Kafka Connect's connector that captures changes: reads its state, starts it, and moves it to a new slot."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.postgres.captured_tables import CONNECTOR, SLOT, connector_config
from connectors.postgres.client import Connection
from connectors.settings import Settings
from ops.capture.connect_rest import ask, find
from ops.capture.database_queries import look
from ops.capture.database_setup import drop_slot, make_slot
from ops.capture.progress import CaptureError

RUNS_WITHIN_SECONDS = 90
"""Maximum time in which the connector starts: after a kill, it first waits until its last transaction is aborted."""
FAILS_WITHIN_SECONDS = 5
"""Maximum time after a restart in which Connect still reports the failure before it."""
POLL_SECONDS = 0.2
APPLY = "run `python -m ops cdc apply`"
MOST_TRACE = 300
"""Maximum length of a cause in characters."""


@dataclass(frozen=True)
class RealConnector:
    """The connector as Connect reports it."""

    state: str
    """Connect's state: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED…"""
    worker: str
    tasks: tuple[tuple[str, str], ...]
    """State of each task and, if it failed, the stack trace."""
    config: Mapping[str, str]

    @property
    def failures(self) -> list[str]:
        """First line of the last cause of each failed task."""
        return [_last_cause(trace) for state, trace in self.tasks if state == "FAILED"]


def connector_faults(connector: RealConnector | None, config: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the connector, as far as Connect knows."""
    if connector is None:
        return [f"there is no connector {CONNECTOR}: {APPLY}"]
    found = []
    if connector.state != "RUNNING":
        found.append(f"the connector is {connector.state}: {APPLY}")
    elif not connector.tasks:
        found.append("the connector runs, but its task doesn't: look at Connect's log")
    for state, trace in connector.tasks:
        if state == "FAILED":
            found.append(f"the connector's task failed: {_last_cause(trace)}; once that is fixed, {APPLY}")
        elif state != "RUNNING" and connector.state == "RUNNING":
            found.append(f"the connector's task is {state}")
    names = {*config, *connector.config}
    if changed := sorted(name for name in names if config.get(name) != connector.config.get(name)):
        found.append(f"the connector's configuration isn't the declared one in {', '.join(changed)}: {APPLY}")
    return found


def real_connector(settings: Settings, wait_seconds: float | None = None) -> RealConnector | None:
    """Return the connector as Connect reports it; None if there is none.

    Args:
        wait_seconds: maximum wait for a worker that starts or rebalances; unset: as for every command.

    Raises:
        ConnectError: Connect can't be reached.
    """
    found = find(settings, f"connectors/{CONNECTOR}/status", wait_seconds)
    config = find(settings, f"connectors/{CONNECTOR}/config", wait_seconds)
    if found is None or config is None:
        # A connector that was just declared has no status yet.
        return None if config is None else RealConnector("UNASSIGNED", "", (), _declared(config))
    return RealConnector(
        state=found["connector"]["state"],
        worker=found["connector"]["worker_id"],
        tasks=tuple((task["state"], task.get("trace", "")) for task in found["tasks"]),
        config=_declared(config),
    )


def move_to_new_slot(settings: Settings, connection: Connection) -> None:
    """Replace the slot, and delete the connector's position in the old one.

    Raises:
        ConnectError: Connect can't be used.
        CaptureError: the connector doesn't stop; the message gives the remedy.
    """
    if find(settings, f"connectors/{CONNECTOR}") is None:
        # A deleted connector of that name has left its position in the log behind.
        stopped = {"name": CONNECTOR, "config": connector_config(settings), "initial_state": "STOPPED"}
        ask(settings, "POST", "connectors", stopped)
    else:
        ask(settings, "PUT", f"connectors/{CONNECTOR}/stop")
    _wait("the connector to stop", lambda: _state(settings) == "STOPPED")
    ask(settings, "DELETE", f"connectors/{CONNECTOR}/offsets")
    _wait("the replication slot to be free", lambda: not _is_read(connection))
    drop_slot(connection)
    make_slot(connection)


def run_connector(settings: Settings, connection: Connection) -> None:
    """Create or start the connector with the declared configuration, and wait until it reads the replication slot.

    Raises:
        ConnectError: Connect can't be used.
        CaptureError: the connector doesn't run; the message gives the reason.
    """
    config = connector_config(settings)
    before = real_connector(settings)
    if before is None or before.config != config:
        ask(settings, "PUT", f"connectors/{CONNECTOR}/config", config)
    if before is not None and before.state in ("PAUSED", "STOPPED"):
        ask(settings, "PUT", f"connectors/{CONNECTOR}/resume")
    elif before is not None and (before.state == "FAILED" or before.failures):
        ask(settings, "POST", f"connectors/{CONNECTOR}/restart?includeTasks=true&onlyFailed=true")
    started = time.monotonic()
    while True:
        connector = real_connector(settings)
        faults = connector_faults(connector, config)
        if not faults and _is_read(connection):
            return
        waited = time.monotonic() - started
        if waited > RUNS_WITHIN_SECONDS or (waited > FAILS_WITHIN_SECONDS and connector and connector.failures):
            raise CaptureError("\n".join(faults) or f"the connector runs, but doesn't read the replication slot {SLOT}")
        time.sleep(POLL_SECONDS)


def _wait(what: str, condition: Callable[[], bool], seconds: float = RUNS_WITHIN_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CaptureError(
                f"waited {seconds:.0f} s for {what}: look at `python -m ops cdc status` and Connect's log"
            )
        time.sleep(POLL_SECONDS)


def _is_read(connection: Connection) -> bool:
    slot = look(connection).slot
    return slot is not None and slot.is_active


def _state(settings: Settings) -> str:
    connector = real_connector(settings)
    # A stopped connector is reported before its tasks are gone.
    return "" if connector is None or connector.tasks else connector.state


def _declared(config: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in config.items() if name != "name"}


def _last_cause(trace: str) -> str:
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")] or trace.splitlines()[:1]
    return causes[-1].removeprefix("Caused by: ")[:MOST_TRACE] if causes else "Connect gives no reason"
