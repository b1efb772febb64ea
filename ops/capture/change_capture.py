"""Sets up change data capture of the shop's database, and reports its state."""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from kafka.errors import KafkaError

from connectors.postgres.captured_tables import (
    CAPTURED,
    CONNECTOR,
    HEARTBEATS,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
    connector_config,
)
from connectors.postgres.client import Connection, DatabaseError
from connectors.settings import Settings
from ops.capture import database as capture_database
from ops.capture import faults as capture_faults
from ops.capture.connect_rest import ConnectError, ask, find
from ops.capture.database import CaptureDatabase, Slot
from ops.capture.faults import RealConnector
from ops.capture.reading import Say, read_rows
from ops.capture.stream import CaptureError, last_change, wait_until_captured
from ops.command_group import CommandGroup
from ops.topics import topics

RUNS_WITHIN_SECONDS = 90
"""How long the connector may take to run: after a kill, it first waits until its last transaction is aborted."""
FAILS_WITHIN_SECONDS = 5
"""How long after a restart Connect may still report the failure before it."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class CaptureStatus:
    """State of change data capture."""

    lines: tuple[tuple[str, str], ...]
    """Pairs of a part and its state, in words."""
    notes: tuple[str, ...]
    """Differences that are worth knowing but are no faults."""
    faults: tuple[str, ...]
    """Faults, each with what to do; empty if there is none."""


def plan(settings: Settings, *, again: bool = False) -> list[str]:
    """Return the steps that `apply` would carry out, in words; empty if there is nothing to do.

    Raises:
        ConnectError, DatabaseError: Connect or the database can't be reached.
        CaptureError: it can't be done; the text says what is missing.
    """
    _require_topics(settings)
    connector = _connector(settings)
    with capture_database.connected(settings) as connection:
        database = capture_database.look(connection)
    _require_database(database)
    to_read = SHOP_TABLES if again else _uncaptured(database)
    return list(_steps(database, connector, connector_config(settings), to_read))


def apply(settings: Settings, say: Say = print, *, again: bool = False) -> None:
    """Create what capture needs, start the connector, and read existing rows into the stream.

    A repeated call repairs what is wrong, and resumes what was interrupted.

    Args:
        again: whether to read rows that were read already.

    Raises:
        ConnectError, DatabaseError: Connect or the database can't be used.
        CaptureError: it can't be done, or the connector doesn't run; the text says why.
    """
    _require_topics(settings)
    with capture_database.connected(settings) as connection:
        capture_database.lock(connection)
        before = capture_database.look(connection)
        _require_database(before)
        _connector(settings)  # checks that Connect can be reached, before anything is changed
        capture_database.set_up(connection, SHOP_TABLES if again else _uncaptured(before))
        if _needs_slot(before):
            _begin_anew(settings, connection)
        _run_connector(settings, connection)
        after = capture_database.look(connection)
        for table in SHOP_TABLES:
            if capture_faults.must_read(table, after):
                read_rows(connection, settings, table, say)
    wait_until_captured(settings)


def status(settings: Settings) -> CaptureStatus:
    """Return the state of capture, also when parts of it can't be reached."""
    lines: list[tuple[str, str]] = []
    notes: list[str] = []
    faults: list[str] = []
    now = datetime.now(UTC)
    try:
        connector = _connector(settings)
        faults += capture_faults.connector_faults(connector, connector_config(settings))
        lines.append(("connector", _connector_in_words(connector)))
    except ConnectError as error:
        faults.append(str(error))
    try:
        with capture_database.connected(settings) as connection:
            database = capture_database.look(connection)
        now = database.now
        faults += capture_faults.database_faults(database)
        lines += [("slot", _slot_in_words(database.slot)), ("phase", _phase_in_words(database))]
        for table in SHOP_TABLES:
            if real := database.tables.get(table.name):
                notes += capture_faults.column_notes(table, real)
    except DatabaseError as error:
        faults.append(str(error))
    try:
        seen = {table: last_change(settings, table) for table in CAPTURED}
        faults += capture_faults.heartbeat_faults(seen[HEARTBEATS], now)
        lines += [(f"last change of {table.name}", _time_in_words(time, now)) for table, time in seen.items()]
    except LookupError as error:
        faults.append(str(error))
    except (ConnectionError, KafkaError) as error:
        faults.append(f"Kafka: {error}")
    return CaptureStatus(tuple(lines), tuple(notes), tuple(faults))


def _steps(
    database: CaptureDatabase,
    connector: RealConnector | None,
    config: dict[str, str],
    to_read: Collection[CapturedTable],
) -> Iterator[str]:
    if _needs_slot(database):
        again = "" if database.slot is None and connector is None else ", since what happened meanwhile is lost"
        yield f"make publication and replication slot, and read all rows{again}"
    for table in SHOP_TABLES:
        real = database.tables[table.name]
        if table in _uncaptured(database):
            yield f"{table.name}: set up REPLICA IDENTITY FULL, triggers and publication, and read its rows"
        elif table in to_read or capture_faults.must_read(table, database):
            yield f"{table.name}: read its rows" + (" again" if real.reading else "")
    heartbeats = database.tables.get(HEARTBEATS.name)
    if heartbeats is None or heartbeats.published is None:
        yield f"{HEARTBEATS.name}: make and publish it"
    if connector is None:
        yield f"make the connector {CONNECTOR}"
    elif config != connector.config:
        yield f"change the configuration of the connector {CONNECTOR}"
    elif capture_faults.connector_faults(connector, config):
        yield f"start the connector {CONNECTOR} again"


def _needs_slot(database: CaptureDatabase) -> bool:
    """Return whether there is no position in the log to resume from. A new publication isn't valid for an older one."""
    return database.slot is None or database.slot.is_lost or database.publication is None


def _uncaptured(database: CaptureDatabase) -> list[CapturedTable]:
    """Return the tables of which changes may have been lost, because they aren't set up as they should be."""
    return [table for table in SHOP_TABLES if not capture_faults.is_set_up(table, database)]


def _require_topics(settings: Settings) -> None:
    declared = [table.topic for table in CAPTURED]
    missing = [topic.name for topic in declared if topic.name not in topics.describe(settings)]
    if missing:
        raise CaptureError(f"there are no topics {', '.join(missing)}: run `python -m ops topics apply`")


def _require_database(database: CaptureDatabase) -> None:
    if missing := [table.name for table in SHOP_TABLES if table.name not in database.tables]:
        raise CaptureError(
            f"the shop's database has no table {', '.join(missing)}: for the simulated shop, "
            "run `python -m local.simulator.shop --tables-only`"
        )
    if found := [*capture_faults.obstacles(database), *capture_faults.shortages(database)]:
        raise CaptureError("nothing was changed, since this must be mended first\n" + "\n".join(found))


def _begin_anew(settings: Settings, connection: Connection) -> None:
    """Create a slot, and make the connector forget the position in the one before."""
    if find(settings, f"connectors/{CONNECTOR}") is None:
        # A deleted connector of that name has left its position in the log behind.
        stopped = {"name": CONNECTOR, "config": connector_config(settings), "initial_state": "STOPPED"}
        ask(settings, "POST", "connectors", stopped)
    else:
        ask(settings, "PUT", f"connectors/{CONNECTOR}/stop")
    _wait("the connector to stop", lambda: _state(settings) == "STOPPED")
    ask(settings, "DELETE", f"connectors/{CONNECTOR}/offsets")
    _wait("the replication slot to be free", lambda: not _is_read(connection))
    capture_database.drop_slot(connection)
    capture_database.make_slot(connection)


def _run_connector(settings: Settings, connection: Connection) -> None:
    config = connector_config(settings)
    before = _connector(settings)
    if before is None or before.config != config:
        ask(settings, "PUT", f"connectors/{CONNECTOR}/config", config)
    if before is not None and before.state in ("PAUSED", "STOPPED"):
        ask(settings, "PUT", f"connectors/{CONNECTOR}/resume")
    elif before is not None and (before.state == "FAILED" or before.failures):
        ask(settings, "POST", f"connectors/{CONNECTOR}/restart?includeTasks=true&onlyFailed=true")
    started = time.monotonic()
    while True:
        connector = _connector(settings)
        faults = capture_faults.connector_faults(connector, config)
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
    slot = capture_database.look(connection).slot
    return slot is not None and slot.is_active


def _state(settings: Settings) -> str:
    connector = _connector(settings)
    # A stopped connector is reported before its tasks are gone.
    return "" if connector is None or connector.tasks else connector.state


def _connector(settings: Settings) -> RealConnector | None:
    found = find(settings, f"connectors/{CONNECTOR}/status")
    config = find(settings, f"connectors/{CONNECTOR}/config")
    if found is None or config is None:
        # A connector that was just declared has no status yet.
        return None if config is None else RealConnector("UNASSIGNED", "", (), _declared(config))
    return RealConnector(
        state=found["connector"]["state"],
        worker=found["connector"]["worker_id"],
        tasks=tuple((task["state"], task.get("trace", "")) for task in found["tasks"]),
        config=_declared(config),
    )


def _declared(config: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in config.items() if name != "name"}


def _connector_in_words(connector: RealConnector | None) -> str:
    if connector is None:
        return "there is none"
    tasks = ", ".join(state.lower() for state, _ in connector.tasks) or "there is none"
    return f"{connector.state.lower()} on {connector.worker}; its task: {tasks}"


def _slot_in_words(slot: Slot | None) -> str:
    if slot is None:
        return "there is none"
    if slot.is_lost:
        return "lost"
    limit = "without a limit" if slot.limit == "-1" else f"of {slot.limit} at most"
    read = "is being read" if slot.is_active else "is read by nobody"
    return (
        f"{read}; the server retains {_megabytes(slot.retained_bytes)} {limit}, {_megabytes(slot.unread_bytes)} unread"
    )


def _phase_in_words(database: CaptureDatabase) -> str:
    readings = {table.name: real.reading for table in SHOP_TABLES if (real := database.tables.get(table.name))}
    said = []
    for name, reading in readings.items():
        rows = f"{reading.rows:,} rows of {name}" if reading else f"no rows of {name}"
        done = (
            f"read by {reading.finished_at:%Y-%m-%d %H:%M:%S} UTC" if reading and reading.finished_at else "read so far"
        )
        said.append(f"{rows} {done}")
    is_streaming = all(reading and reading.finished_at for reading in readings.values())
    return f"{'streaming' if is_streaming else 'snapshot'}; {', '.join(said)}"


def _time_in_words(time: datetime | None, now: datetime) -> str:
    if time is None:
        return "none"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC, {max(0.0, (now - time).total_seconds()):.0f} s ago"


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"


@click.group("cdc", cls=CommandGroup)
def group() -> None:
    """Change data capture: set it up, look at how it does."""


@group.command("apply")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--again", is_flag=True, help="Read all rows, also where that was done already.")
def apply_command(yes: bool, again: bool) -> None:
    """Set up database and connector, and read the rows that are there.

    Shows a plan and asks before anything is changed.
    """
    settings = Settings.from_environment()
    try:
        steps = plan(settings, again=again)
        click.echo("\n".join(steps) if steps else f"the connector {CONNECTOR} is as it should be: nothing to do")
        if not steps:
            return
        if not yes:
            if not sys.stdin.isatty():
                raise click.ClickException("nothing was changed: run it again with --yes to carry out the plan")
            click.confirm("Carry out the plan?", abort=True)
        apply(settings, click.echo, again=again)
    except CaptureError as error:
        raise click.ClickException(str(error)) from error
    click.echo("done: changes are captured")


@group.command("status")
def status_command() -> None:
    """Say how capturing does.

    Exit status 1 if something is wrong.
    """
    found = status(Settings.from_environment())
    width = max((len(what) for what, _ in found.lines), default=0)
    for what, how in found.lines:
        click.echo(f"{what:<{width}}  {how}")
    for note in found.notes:
        click.echo(f"note: {note}")
    if found.faults:
        raise click.ClickException("\n".join(found.faults))
    click.echo("changes are captured")
