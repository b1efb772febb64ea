"""Reports the state of change data capture in words."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kafka.errors import KafkaError

from connectors.postgres.captured_tables import CAPTURED, HEARTBEATS, SHOP_TABLES, connector_config
from connectors.postgres.client import DatabaseError
from connectors.settings import Settings
from ops.capture.connect_rest import ConnectError
from ops.capture.connector import RealConnector, connector_faults, real_connector
from ops.capture.database_queries import connected, look
from ops.capture.database_state import CaptureDatabase, Slot
from ops.capture.faults import database_faults, heartbeat_faults
from ops.capture.obstacles import column_notes
from ops.capture.progress import last_change
from ops.formats import utc


@dataclass(frozen=True)
class CaptureStatus:
    """State of change data capture."""

    lines: tuple[tuple[str, str], ...]
    """Pairs of a part and its state, in words."""
    notes: tuple[str, ...]
    """Differences that are worth knowing but are no faults."""
    faults: tuple[str, ...]
    """Faults, each with what to do; empty if there is none."""


def status(settings: Settings) -> CaptureStatus:
    """Return the state of capture, also when parts of it can't be reached."""
    lines: list[tuple[str, str]] = []
    notes: list[str] = []
    faults: list[str] = []
    now = datetime.now(UTC)
    try:
        connector = real_connector(settings)
        faults += connector_faults(connector, connector_config(settings))
        lines.append(("connector", _connector_in_words(connector)))
    except ConnectError as error:
        faults.append(str(error))
    try:
        with connected(settings) as connection:
            database = look(connection)
        now = database.now
        faults += database_faults(database)
        lines += [("slot", _slot_in_words(database.slot)), ("phase", _phase_in_words(database))]
        for table in SHOP_TABLES:
            if real := database.tables.get(table.name):
                notes += column_notes(table, real)
    except DatabaseError as error:
        faults.append(str(error))
    try:
        seen = {table: last_change(settings, table) for table in CAPTURED}
        faults += heartbeat_faults(seen[HEARTBEATS], now)
        lines += [(f"last change of {table.name}", _time_in_words(time, now)) for table, time in seen.items()]
    except LookupError as error:
        faults.append(str(error))
    except (ConnectionError, KafkaError) as error:
        faults.append(f"Kafka: {error}")
    return CaptureStatus(tuple(lines), tuple(notes), tuple(faults))


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
    read = "is being read" if slot.is_active else "isn't being read"
    return (
        f"{read}; the server retains {_megabytes(slot.retained_bytes)} {limit}, {_megabytes(slot.unread_bytes)} unread"
    )


def _phase_in_words(database: CaptureDatabase) -> str:
    readings = {table.name: real.reading for table in SHOP_TABLES if (real := database.tables.get(table.name))}
    phases = []
    for name, reading in readings.items():
        rows = f"{reading.rows:,} rows of {name}" if reading else f"no rows of {name}"
        done = f"read by {utc(reading.finished_at)}" if reading and reading.finished_at else "read so far"
        phases.append(f"{rows} {done}")
    is_streaming = all(reading and reading.finished_at for reading in readings.values())
    return f"{'streaming' if is_streaming else 'snapshot'}; {', '.join(phases)}"


def _time_in_words(time: datetime | None, now: datetime) -> str:
    if time is None:
        return "none"
    return f"{utc(time)}, {max(0.0, (now - time).total_seconds()):.0f} s ago"


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"
