"""PostgreSQL: one server with the shop's database and the warehouse, each owned by its user."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from connectors.postgres.client import connect
from connectors.settings import Settings
from local.settings import Port
from local.stack.archives import unpacked
from local.stack.service import GIB, Launch, Place, Service, Step, UnhealthyError
from local.stack.setup import Setup
from toolchain.pinned_jars import locked

NAME = "postgres"
SUPERUSER = "postgres"
CONNECTS_WITHIN_SECONDS = 2

SETTINGS = """\
listen_addresses = '{host}'
port = {port}
# Nothing in folders that all programs share: no socket in /tmp, no memory in /dev/shm, which a crash would leave there.
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
hba_file = '{access}'
# So that a client that changed rows can ask for their commit time, which is the event time of the captured changes.
track_commit_timestamp = on
# Changes are read from the log, row by row.
wal_level = logical
# A reader that has gone for good must not fill the disk: beyond this its slot is given up, and it begins anew with a
# snapshot. Changes of a laptop's shop in a day are far less.
max_slot_wal_keep_size = 1GB
max_wal_size = 512MB
# The same answers on every machine.
timezone = 'UTC'
log_timezone = 'UTC'
# Quiet: messages of the server itself. A failed statement is reported to its client, and may hold people's data.
log_min_messages = log
log_error_verbosity = terse
log_checkpoints = off
logging_collector = on
log_directory = '{log_folder}'
log_filename = '{log_name}'
# One file, begun anew each week.
log_rotation_age = 7d
log_rotation_size = 0
log_truncate_on_rotation = on
"""

ACCESS = """\
# By password only; the superuser has none, so it can't connect.
host all all all scram-sha-256
host replication all all scram-sha-256
"""


@dataclass(frozen=True)
class Database:
    """A database and its owner."""

    name: str
    host: str
    port: int
    user: str
    password: str


def databases(settings: Settings) -> tuple[Database, ...]:
    """Return the databases that the settings require on the server."""
    return (
        _database(settings.shop_database_url, settings.shop_database_user, settings.shop_database_password),
        _database(settings.warehouse_url, settings.warehouse_user, settings.warehouse_password),
    )


def contradiction(settings: Settings) -> str:
    """Return why one server can't fulfil the settings; empty if it can."""
    shop, warehouse = databases(settings)
    if (shop.host, shop.port) != (warehouse.host, warehouse.port):
        return f"{settings.shop_database_url} and {settings.warehouse_url} are on two servers, the stack has one"
    if shop.user == warehouse.user and shop.password != warehouse.password:
        return f"{shop.user} has two passwords, one for {shop.name} and one for {warehouse.name}"
    if shop.name == warehouse.name and shop.user != warehouse.user:
        return f"{shop.name} is to belong to both {shop.user} and {warehouse.user}"
    if SUPERUSER in (shop.user, warehouse.user):
        return f"{SUPERUSER} is the server's superuser, who can't connect"
    return ""


def declare(setup: Setup) -> Service:
    """Declare the server, at the address of `MILLRACE_SHOP_DATABASE_URL`."""
    place = setup.place(NAME)
    port = setup.port(NAME)
    return Service(
        place=place,
        launch=lambda: _launch(setup, place, port),
        health=lambda: check_health(databases(setup.settings)),
        address=f"{port.host}:{port.number}",
        memory_bytes=GIB * 2 // 10,
        ports=(NAME,),
        unprivileged=True,
        # A new server takes a killed one as alive until that one's parent has collected it.
        lock_files=(_cluster(place) / "postmaster.pid",),
        stop_signal=signal.SIGINT,  # ends sessions; SIGTERM would wait until they end
    )


def check_health(wanted: Sequence[Database]) -> None:
    """Check that each database answers its owner.

    Raises:
        UnhealthyError: one doesn't.
    """
    for database in wanted:
        try:
            with connect(
                f"postgresql://{database.host}:{database.port}/{database.name}",
                user=database.user,
                password=database.password,
                connect_timeout=CONNECTS_WITHIN_SECONDS,
                sslmode="disable",
                options="-c statement_timeout=2s",
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise UnhealthyError(f"can't be used: {str(error).strip()}") from None


def _database(url: str, user: str, password: str) -> Database:
    parts = urlsplit(url)
    return Database(parts.path.removeprefix("/"), parts.hostname or "", parts.port or 5432, user, password)


def _launch(setup: Setup, place: Place, port: Port) -> Launch:
    program = unpacked(setup, NAME) / "bin" / "postgres"
    cluster = _cluster(place)
    settings, access = place.conf / "postgresql.conf", place.conf / "pg_hba.conf"
    started_with = ("-D", str(cluster), "-c", f"config_file={settings}")
    wanted = databases(setup.settings)
    return Launch(
        command=(str(program), *started_with),
        files={
            settings: SETTINGS.format(
                host=port.host,
                port=port.number,
                access=_quoted(access),
                log_folder=_quoted(place.log.parent),
                log_name=place.log.name,
            ),
            access: ACCESS,
        },
        before=(
            *(() if (cluster / "PG_VERSION").exists() else _make(program, cluster)),
            _alone(program, started_with, ("exit_on_error=on",), _roles(wanted)),
            # There is no CREATE DATABASE IF NOT EXISTS, so this may fail silently; the health check covers that.
            _alone(program, started_with, ("log_min_messages=fatal",), _ownership(wanted)),
        ),
    )


def _cluster(place: Place) -> Path:
    """Return the folder of the server's files: one release can't read another's, so it contains the release number."""
    release = next(jar.coordinate.version for jar in locked() if jar.group == NAME).partition(".")[0]
    return place.data / release


def _quoted(path: Path) -> str:
    """Return a path in the form of a quoted setting."""
    return str(path).replace("'", "''")


def _make(program: Path, cluster: Path) -> tuple[Step, ...]:
    """Return steps that create the server's files, which get their final name only when complete."""
    partial = str(cluster.with_name(f"{cluster.name}.partial"))
    initdb = (str(program.with_name("initdb")), "-D", partial, "-U", SUPERUSER, "-A", "reject")
    return (
        Step(("rm", "-rf", partial)),
        Step((*initdb, "--encoding=UTF8", "--no-locale", "--no-instructions")),
        Step(("mv", "-T", partial, str(cluster))),
    )


def _alone(program: Path, started_with: Sequence[str], options: Sequence[str], statements: Sequence[str]) -> Step:
    """Return a step that runs statements as the superuser, one per line, without a server, so that no password is
    needed."""
    own = ("log_min_error_statement=panic", "logging_collector=off", *options)  # otherwise passwords get into the log
    added = [argument for option in own for argument in ("-c", option)]
    command = (str(program), "--single", *started_with, *added, SUPERUSER)
    return Step(command, "".join(f"{statement}\n" for statement in statements))


def _roles(wanted: Sequence[Database]) -> list[str]:
    """Return statements that let each owner log in, with the password of the settings, and read the log of changes."""
    statements = []
    for user, password in dict.fromkeys((database.user, database.password) for database in wanted):
        role = Identifier(user)
        quoted = Literal(role.as_string(None))
        block = SQL("BEGIN IF to_regrole({}) IS NULL THEN CREATE ROLE {}; END IF; END").format(quoted, role)
        statements += [
            SQL("DO {}").format(Literal(block.as_string(None))),
            SQL("ALTER ROLE {} LOGIN REPLICATION PASSWORD {}").format(role, Literal(password)),
        ]
    return [statement.as_string(None) for statement in statements]


def _ownership(wanted: Sequence[Database]) -> list[str]:
    """Return statements that create each database and set its owner."""
    return [
        statement.format(Identifier(database.name), Identifier(database.user)).as_string(None)
        for database in wanted
        for statement in (SQL("CREATE DATABASE {} OWNER {}"), SQL("ALTER DATABASE {} OWNER TO {}"))
    ]
