"""Sets up change data capture of the shop's database: a plan first, then its steps."""

from collections.abc import Collection, Iterator

from connectors.outage import Report
from connectors.postgres.captured_tables import (
    CAPTURED,
    CONNECTOR,
    HEARTBEATS,
    SHOP_TABLES,
    CapturedTable,
    connector_config,
)
from connectors.settings import Settings
from ops.capture.connector import RealConnector, connector_faults, move_to_new_slot, real_connector, run_connector
from ops.capture.database_queries import connected, look
from ops.capture.database_setup import lock, set_up
from ops.capture.database_state import CaptureDatabase
from ops.capture.existing_rows import read_rows
from ops.capture.faults import is_set_up, must_read
from ops.capture.obstacles import obstacles, shortages
from ops.capture.progress import CaptureError, wait_until_captured
from ops.topics.apply import describe


def plan(settings: Settings, *, again: bool = False) -> list[str]:
    """Return the steps that `apply` would carry out, in words; empty if there is nothing to do.

    Raises:
        ConnectError, DatabaseError: Connect or the database can't be reached.
        CaptureError: it can't be done; the message names what is missing.
    """
    _require_topics(settings)
    connector = real_connector(settings)
    with connected(settings) as connection:
        database = look(connection)
    _require_database(database)
    to_read = SHOP_TABLES if again else _uncaptured(database)
    return list(_steps(database, connector, connector_config(settings), to_read))


def apply(settings: Settings, report: Report = print, *, again: bool = False) -> None:
    """Create what capture needs, start the connector, and read existing rows into the stream.

    A repeated call repairs what is wrong, and resumes what was interrupted.

    Args:
        again: whether to read rows that were read already.

    Raises:
        ConnectError, DatabaseError: Connect or the database can't be used.
        CaptureError: it can't be done, or the connector doesn't run; the message gives the reason.
    """
    _require_topics(settings)
    with connected(settings) as connection:
        lock(connection)
        before = look(connection)
        _require_database(before)
        real_connector(settings)  # checks that Connect can be reached, before anything is changed
        set_up(connection, SHOP_TABLES if again else _uncaptured(before))
        if _needs_slot(before):
            move_to_new_slot(settings, connection)
        run_connector(settings, connection)
        after = look(connection)
        for table in SHOP_TABLES:
            if must_read(table, after):
                read_rows(connection, settings, table, report)
    wait_until_captured(settings)


def _steps(
    database: CaptureDatabase,
    connector: RealConnector | None,
    config: dict[str, str],
    to_read: Collection[CapturedTable],
) -> Iterator[str]:
    if _needs_slot(database):
        again = "" if database.slot is None and connector is None else ", since changes made meanwhile are lost"
        yield f"create publication and replication slot, and read all rows{again}"
    for table in SHOP_TABLES:
        real = database.tables[table.name]
        if table in _uncaptured(database):
            yield f"{table.name}: set up REPLICA IDENTITY FULL, triggers and publication, and read its rows"
        elif table in to_read or must_read(table, database):
            yield f"{table.name}: read its rows" + (" again" if real.reading else "")
    heartbeats = database.tables.get(HEARTBEATS.name)
    if heartbeats is None or heartbeats.published is None:
        yield f"{HEARTBEATS.name}: create and publish it"
    if connector is None:
        yield f"create the connector {CONNECTOR}"
    elif config != connector.config:
        yield f"change the configuration of the connector {CONNECTOR}"
    elif connector_faults(connector, config):
        yield f"restart the connector {CONNECTOR}"


def _needs_slot(database: CaptureDatabase) -> bool:
    """Return whether there is no position in the log to resume from: a new publication has no earlier changes."""
    return database.slot is None or database.slot.is_lost or database.publication is None


def _uncaptured(database: CaptureDatabase) -> list[CapturedTable]:
    """Return the tables of which changes may have been lost, because they aren't set up as they should be."""
    return [table for table in SHOP_TABLES if not is_set_up(table, database)]


def _require_topics(settings: Settings) -> None:
    declared = [table.topic for table in CAPTURED]
    missing = [topic.name for topic in declared if topic.name not in describe(settings)]
    if missing:
        raise CaptureError(f"there are no topics {', '.join(missing)}: run `python -m ops topics apply`")


def _require_database(database: CaptureDatabase) -> None:
    if missing := [table.name for table in SHOP_TABLES if table.name not in database.tables]:
        raise CaptureError(
            f"the shop's database has no table {', '.join(missing)}: for the simulated shop, "
            "run `python -m local.simulator.shop --tables-only`"
        )
    if found := [*obstacles(database), *shortages(database)]:
        raise CaptureError("nothing was changed, since this must be fixed first\n" + "\n".join(found))
