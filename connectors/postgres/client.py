"""Connections of `ops` to a PostgreSQL database, with timeouts and explained errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import TupleRow

from connectors.process_environment import POSTGRES, forget_ignored
from connectors.settings import Settings, is_on_this_machine

CONNECT_SECONDS = 5

Connection = psycopg.Connection[TupleRow]


class DatabaseError(ConnectionError):
    """The database can't be used; the text says why, and what to do."""


class DatabaseUnavailableError(DatabaseError):
    """No server answers, or the connection broke: a retry may succeed."""


@dataclass(frozen=True)
class Address:
    """Address and login of a database."""

    url: str
    """`postgresql://host:port/database`."""
    user: str
    password: str
    variable: str
    """Prefix of its environment variables, such as `MILLRACE_WAREHOUSE`."""


def shop_address(settings: Settings) -> Address:
    """Return the address of the shop's database."""
    return Address(
        settings.shop_database_url,
        settings.shop_database_user,
        settings.shop_database_password,
        variable="MILLRACE_SHOP_DATABASE",
    )


def connect(url: str, **options: Any) -> Connection:
    """Open a connection as `psycopg.connect` does, but ignore the environment variables `PG*`.

    Args:
        url: without user and password, which are among the options.

    Raises:
        psycopg.OperationalError: there is no connection.
    """
    forget_ignored(POSTGRES)
    if is_on_this_machine(urlsplit(url).hostname or ""):
        options = {"sslmode": "prefer"} | options  # PGSSLMODE is for remote servers
    return psycopg.connect(url, **options)


@contextmanager
def connecting(address: Address, statement_seconds: int) -> Iterator[Connection]:
    """Open a connection in autocommit mode, and close it at the end.

    Args:
        statement_seconds: time limit of a statement, after which the server cancels it.

    Raises:
        DatabaseUnavailableError: the server can't be reached, or the connection broke.
        DatabaseError: the server refuses us, or a statement took too long.
    """
    try:
        connection = connect(
            address.url,
            user=address.user,
            password=address.password,
            connect_timeout=CONNECT_SECONDS,
            application_name="millrace ops",
            options=f"-c statement_timeout={statement_seconds}s -c TimeZone=UTC",
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise _connection_error(address, str(error)) from None
    with connection:
        try:
            yield connection
        except psycopg.errors.QueryCanceled:
            raise DatabaseError(
                f"the database at {address.url} took longer than {statement_seconds} s to answer"
            ) from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailableError(f"the connection to {address.url} broke: {error}") from error


def _connection_error(address: Address, message: str) -> DatabaseError:
    """Explain why there is no connection. The server's own message, in English unless it is configured otherwise, comes
    last."""
    database = urlsplit(address.url).path.removeprefix("/")
    reasons = {
        r"authentication failed|no password": f"PostgreSQL at {address.url} doesn't accept the password of "
        f"{address.user}: set {address.variable}_USER and {address.variable}_PASSWORD",
        r"database .* does not exist": f"PostgreSQL runs at {address.url}, but has no database {database}: create it, "
        f"or set {address.variable}_URL to another",
        r"role .* does not exist|not permitted|permission denied": f"PostgreSQL at {address.url} doesn't let "
        f"{address.user} in: set {address.variable}_USER",
    }
    unreachable = (
        f"no PostgreSQL answers at {address.url}: start it (`make up`), or set {address.variable}_URL to where it is"
    )
    refusal = next((words for pattern, words in reasons.items() if re.search(pattern, message)), None)
    text = f"{refusal or unreachable}\n{' '.join(message.split())}"
    return DatabaseError(text) if refusal else DatabaseUnavailableError(text)
