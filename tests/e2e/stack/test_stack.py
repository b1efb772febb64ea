"""The local stack starts, restarts killed services, and leaves nothing; one service alone where that is enough."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from local.settings import Port, stack_ports
from local.stack import processes
from local.stack.preflight import PreflightError
from local.stack.services import declared as services
from local.stack.supervisor import Stack
from tests.e2e.conftest import environment_on_free_ports


@pytest.fixture
def second() -> Iterator[Stack]:
    """A stack beside the shared one, in a folder and on ports of its own; nothing of it runs yet."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-second-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack.from_environment(environment_on_free_ports(Path(folder, "stack")))
        try:
            yield stack
        finally:
            stack.down()


def processes_of(stack: Stack) -> list[psutil.Process]:
    """Return the processes whose working directory is in the stack's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(stack.setup.state):
                found.append(process)
        except psutil.Error:
            continue
    return found


def faults(stack: Stack) -> dict[str, str]:
    return {status.service.name: status.fault for status in stack.status() if status.fault}


def declared_names(stack: Stack) -> list[str]:
    """Return every service of a whole stack, in start order."""
    declared = services.declare(stack.setup, int(stack.setup.local.flink_task_managers))
    return [service.name for service in services.in_start_order(declared)]


def open_ports(stack: Stack) -> list[Port]:
    return [port for port in stack_ports(stack.setup.settings, stack.setup.local) if is_open(port)]


def is_open(port: Port) -> bool:
    with socket.socket() as client:
        return client.connect_ex((port.host, port.number)) == 0


@contextmanager
def shop_database(stack: Stack) -> Iterator[psycopg.Connection]:
    settings = stack.setup.settings
    user, password = settings.shop_database_user, settings.shop_database_password
    with psycopg.connect(settings.shop_database_url, user=user, password=password, autocommit=True) as connection:
        yield connection


def shared_memory(made_by: int) -> list[str]:
    """Return the System V segments that a process made; they outlive the process unless they are removed."""
    lines = processes.SHARED_MEMORY.read_text().splitlines()[1:]
    return [line for line in lines if line.split()[4] == str(made_by)]


def test_everything_is_healthy_after_up_and_a_second_up_changes_nothing(stack: Stack) -> None:
    stack.up()  # other tests killed services on which these depend
    before = [status.pid for status in stack.status()]

    stack.up()

    assert faults(stack) == {}
    assert [status.pid for status in stack.status()] == before
    assert [status.service.name for status in stack.status()] == declared_names(stack)


@pytest.mark.full
def test_two_stacks_do_not_disturb_each_other(stack: Stack, second: Stack) -> None:
    shared_before = [status.pid for status in stack.status()]

    second.up(["connect"])
    assert len(second.status()) == 3
    second.down()

    assert [status.pid for status in stack.status()] == shared_before
    assert faults(stack) == {}


def test_down_leaves_no_process_and_no_port(second: Stack) -> None:
    second.up(["connect"])
    assert processes_of(second)
    assert len(open_ports(second)) == 4

    second.down()

    assert processes_of(second) == []
    assert open_ports(second) == []
    assert second.status() == []


def test_down_leaves_no_shared_memory_of_a_killed_server(second: Stack) -> None:
    second.up(["postgres"])
    mapped = [entry.path for entry in psutil.Process(second.status()[0].pid).memory_maps()]
    killed = second.kill("postgres")
    assert shared_memory(killed)

    second.down()

    assert not shared_memory(killed)
    assert not [path for path in mapped if path.startswith("/dev/shm/")]
    assert processes_of(second) == []


@pytest.mark.full
def test_killed_broker_is_reported_and_restarted_by_up(second: Stack) -> None:
    second.up(["kafka"])
    killed = second.kill("kafka")

    assert faults(second) == {"kafka": f"has gone: process {killed} ended without being stopped"}
    second.up(["kafka"])

    assert faults(second) == {}


def test_killed_database_server_is_reported_and_restarted_with_its_rows(second: Stack) -> None:
    second.up(["postgres"])
    with shop_database(second) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (1), (2)")
    killed = second.kill("postgres")

    assert faults(second) == {"postgres": f"has gone: process {killed} ended without being stopped"}
    second.up(["postgres"])

    with shop_database(second) as connection:
        assert connection.execute("SELECT id FROM kept ORDER BY id").fetchall() == [(1,), (2,)]
    assert faults(second) == {}


@pytest.mark.full
def test_killed_connect_worker_is_reported_and_restarted_with_connectors(second: Stack) -> None:
    connectors = f"{second.setup.settings.connect_url}/connectors"
    config = {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "changes"}
    address = {"database.hostname": "127.0.0.1", "database.dbname": "shop", "slot.name": "kept"}
    login = {f"database.{what}": f"${{env:MILLRACE_SHOP_DATABASE_{what.upper()}}}" for what in ("user", "password")}
    port = {"database.port": second.setup.port("postgres").number, "plugin.name": "pgoutput"}
    second.up(["connect"])
    requests.put(f"{connectors}/kept/config", json=config | address | login | port, timeout=30).raise_for_status()
    killed = second.kill("connect")

    assert faults(second) == {"connect": f"has gone: process {killed} ended without being stopped"}
    second.up(["connect"])

    assert faults(second) == {}
    assert requests.get(connectors, timeout=30).json() == ["kept"]
    assert (
        requests.get(f"{connectors}/kept/config", timeout=30).json()["database.password"] == login["database.password"]
    )


def test_hanging_database_server_is_reported_until_resumed(second: Stack) -> None:
    second.up(["postgres"])
    suspended = psutil.Process(second.status()[0].pid)

    suspended.suspend()
    assert faults(second) == {"postgres": "can't be used: connection timeout expired"}
    suspended.resume()

    assert faults(second) == {}


def test_database_owner_may_only_replicate_and_superuser_may_not_log_in(second: Stack) -> None:
    second.up(["postgres"])

    with shop_database(second) as connection:
        role = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(second.setup.settings.shop_database_url, user="postgres", password="postgres")

    assert role == (False, False, False, True)


@pytest.mark.full
def test_changed_password_holds_from_the_next_up_and_is_in_no_log(second: Stack) -> None:
    second.up(["postgres"])
    password = 'it\'s \\ a; "secret" $1'
    settings = replace(second.setup.settings, shop_database_password=password, warehouse_password=password)
    changed = Stack(replace(second.setup, settings=settings))
    assert "password authentication failed" in faults(changed)["postgres"]

    changed.up(["postgres"])

    assert faults(changed) == {}
    logs = second.service("postgres").place.log.parent
    assert not [file for file in logs.iterdir() if "secret" in file.read_text()]


def test_up_ignores_a_stale_pid_file_and_spares_the_process_in_there(second: Stack) -> None:
    pid_file = second.service("kafka").place.pid_file
    pid_file.parent.mkdir(parents=True)
    processes.record(os.getpid(), pid_file, "")
    pid_file.write_text(pid_file.read_text().replace('"start_ticks": ', '"start_ticks": 1'))

    second.up(["kafka"])

    assert faults(second) == {}


@pytest.mark.full
def test_suspended_broker_is_restarted_by_up(second: Stack) -> None:
    second.up(["kafka"])
    suspended = psutil.Process(second.status()[0].pid)
    suspended.suspend()

    second.up(["kafka"])

    assert not suspended.is_running()
    assert faults(second) == {}


def test_port_in_use_is_reported_before_any_service_starts(second: Stack) -> None:
    port = second.setup.port("kafka")
    with (
        socket.create_server((port.host, port.number)),
        pytest.raises(PreflightError, match=f"port {port.number} .*in use by process {os.getpid()}"),
    ):
        second.up(["kafka"])

    assert processes_of(second) == []


@pytest.mark.full
def test_data_survives_down_and_up_and_can_be_deleted(second: Stack) -> None:
    second.up(["kafka"])
    cluster_id = (second.service("kafka").place.data / "meta.properties").read_text()
    second.down()

    second.up(["kafka"])
    assert (second.service("kafka").place.data / "meta.properties").read_text() == cluster_id
    second.down(delete_data=True)

    assert not second.service("kafka").place.folder.exists()
