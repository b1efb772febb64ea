"""Writes transactions to the database, each exactly once, also during outages."""

import time
from threading import Event
from types import TracebackType
from typing import Self, get_type_hints
from uuid import uuid4

import psycopg
from msgspec.structs import replace
from psycopg import sql

from connectors.outage import OUTAGE_SECONDS, RETRY_SECONDS, Outage, Report
from connectors.postgres.client import Connection
from connectors.settings import Settings
from local.simulator.shop.database import ShopError, columns, connect, name
from local.simulator.shop.rows import CUSTOMERS, PRODUCTS, AnyTable, CustomerRow
from local.simulator.shop.shop_ledger import Outcome, TransactionRecord
from local.simulator.shop.state import Statement

PARAMETERS = {
    str: sql.SQL("%s::text[]"),
    str | None: sql.SQL("%s::text[]"),
    int: sql.SQL("%s::bigint[]"),
    bool: sql.SQL("%s::boolean[]"),
}
"""SQL parameter for a column of values, by the type of the row's field."""

# xmin is the transaction that wrote the row: the run's last one.
COMMITTED_AT = """
SELECT CASE
    WHEN current_setting('track_commit_timestamp')::boolean
    THEN floor(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::bigint
END
FROM shop.runs WHERE run = %s
"""


class Writer:
    """Carries out one transaction after the other, with ascending numbers; a context manager.

    Args:
        stop: set it to stop waiting for a database that is unavailable.
        report: gets a line each second while the database is unavailable, and one when it is available again.
    """

    def __init__(self, settings: Settings, stop: Event, report: Report) -> None:
        self._settings, self._stop, self._report = settings, stop, report
        self._run = uuid4().hex
        self._connection: Connection | None = None
        self._is_in_doubt = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._disconnect()

    def do(self, begun: TransactionRecord, *, is_rolled_back: bool) -> TransactionRecord:
        """Carry out a transaction exactly once, with as many tries as necessary; return the record with its outcome.

        Raises:
        ShopError: the database has been unavailable for too long, or its rows are not those of the plan.
        """
        outage: Outage | None = None
        self._is_in_doubt = False
        while True:
            try:
                outcome, committed_at = self._try(begun, is_rolled_back)
                break
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._disconnect()
                outage = outage or Outage("the database", self._report)
                if self._gives_up(outage, error):
                    outcome, committed_at = "unknown" if self._is_in_doubt else "rolled_back", None
                    break
            except psycopg.Error as error:
                raise ShopError(f"transaction {begun.number} ({begun.kind}) of the shop failed: {error}") from error
        if outage and not self._stop.is_set():
            outage.over()
        return replace(begun, outcome=outcome, ended_at=_now_ms(), committed_at=committed_at)

    def _try(self, begun: TransactionRecord, is_rolled_back: bool) -> tuple[Outcome, int | None]:
        connection = self._connected()
        with connection.transaction(force_rollback=is_rolled_back):
            if self._is_new(connection, begun.number):
                for statement in begun.statements:
                    _execute(connection, statement)
            self._is_in_doubt = not is_rolled_back
        if is_rolled_back:
            return "rolled_back", None
        row = connection.execute(COMMITTED_AT, [self._run]).fetchone()
        return "committed", row[0] if row else None

    def _is_new(self, connection: Connection, number: int) -> bool:
        """Return whether that transaction isn't committed yet; if so, its commit records that it is.

        An earlier try that is still running on the server locks the row until its outcome is decided.
        """
        row = connection.execute(
            "SELECT last_transaction FROM shop.runs WHERE run = %s FOR UPDATE", [self._run]
        ).fetchone()
        if row is None:
            raise ShopError("the shop's database is not the one that the run began with: it doesn't know the run")
        if row[0] >= number:
            return False
        connection.execute("UPDATE shop.runs SET last_transaction = %s WHERE run = %s", [number, self._run])
        return True

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._settings)
            self._connection.execute("INSERT INTO shop.runs VALUES (%s, 0) ON CONFLICT DO NOTHING", [self._run])
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _gives_up(self, outage: Outage, error: psycopg.Error) -> bool:
        if outage.seconds > OUTAGE_SECONDS:
            raise ShopError(
                f"the shop's database at {self._settings.shop_database_url} has been unavailable for"
                f" {outage.seconds:.0f} s: {error}"
            ) from error
        outage.report()
        return self._stop.wait(RETRY_SECONDS)


def _execute(connection: Connection, statement: Statement) -> None:
    table = CUSTOMERS if isinstance(statement.rows[0], CustomerRow) else PRODUCTS
    values = [[getattr(row, column) for row in statement.rows] for column in table.columns]
    match statement.op:
        case "c":
            query, parameters = _insert(table), values
        case "u":
            query, parameters = _update(table), values
        case "d":
            query, parameters = _delete(table), values[:1]
    changed = connection.execute(query, parameters).rowcount
    if changed != len(statement.rows):
        raise ShopError(
            f"{changed} rows of {table.name} were changed instead of {len(statement.rows)}: another program changes"
            " them, too. Stop it: the service needs its tables for itself"
        )


def _insert(table: AnyTable) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) SELECT * FROM {}").format(name(table), columns(table), _unnested(table))


def _update(table: AnyTable) -> sql.Composed:
    assignments = [sql.SQL("{0} = new.{0}").format(sql.Identifier(column)) for column in table.columns[1:]]
    return sql.SQL("UPDATE {0} AS old SET {1} FROM {2} AS new ({3}) WHERE old.{4} = new.{4}").format(
        name(table), sql.SQL(", ").join(assignments), _unnested(table), columns(table), sql.Identifier(table.key)
    )


def _delete(table: AnyTable) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE {} = ANY (%s::text[])").format(name(table), sql.Identifier(table.key))


def _unnested(table: AnyTable) -> sql.Composed:
    """Return an expression for rows made of parameters, each of which is a column."""
    hints = get_type_hints(table.row)
    return sql.SQL("unnest({})").format(sql.SQL(", ").join(PARAMETERS[hints[column]] for column in table.columns))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
