"""Content of the warehouse's tables, in the columns that the oracle knows."""

from connectors.postgres.client import Connection
from local.oracles.warehouse import COLUMNS, Rows


def read_content(connection: Connection) -> dict[str, Rows]:
    """Return the rows of each table."""
    return {
        table: set(connection.execute(f"SELECT {columns} FROM warehouse.{table}".encode()).fetchall())
        for table, columns in COLUMNS.items()
    }
