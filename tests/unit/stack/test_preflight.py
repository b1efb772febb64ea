"""Checks before the stack starts, on real ports and folders of this machine."""

import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from connectors.settings import Settings
from local.settings import LocalSettings
from local.stack import preflight, processes
from local.stack.preflight import Finding, PreflightError
from local.stack.service import GIB, Service
from local.stack.services import declared as services
from local.stack.setup import Setup
from tests.unit.toolchain.test_java import make_java_home
from toolchain import scratch
from toolchain.scratch import temporary_folder
from tools import doctor


def setup(state: Path, **variables: str) -> Setup:
    environment = {f"MILLRACE_{name.upper()}": value for name, value in variables.items()}
    return Setup(Settings.from_environment(environment), LocalSettings.from_environment(environment), state)


def declared(checked: Setup) -> tuple[Service, ...]:
    return services.declare(checked, int(checked.local.flink_task_managers))


def finding_of(service: str, checked: Setup) -> Finding:
    return next(f for f in preflight.ports(checked, declared(checked)) if f"({service})" in f.subject)


@pytest.fixture
def occupied() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_free_port_is_no_fault(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]

    assert finding_of("kafka", setup(tmp_path, kafka_bootstrap_servers=f"127.0.0.1:{free}")).found == "free"


def test_port_in_use_is_reported_with_its_user_and_the_remedy(tmp_path: Path, occupied: int) -> None:
    finding = finding_of("kafka", setup(tmp_path, kafka_bootstrap_servers=f"127.0.0.1:{occupied}"))

    assert finding.is_fault
    assert f"in use by process {os.getpid()}: " in finding.found
    assert Path(sys.executable).name in finding.found
    other = occupied + 10_000 if occupied < 55_536 else occupied - 10_000
    assert finding.advice == f"Stop that, or choose another: MILLRACE_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{other}"


def test_port_of_this_stack_is_no_fault(occupied: int) -> None:
    stack = setup(Path.cwd().parent, flink_rest_url=f"http://127.0.0.1:{occupied}")

    assert finding_of("flink", stack) == Finding(
        f"port {occupied} (flink)", f"held by this stack, process {os.getpid()}"
    )


def test_one_port_for_two_services_is_a_fault(tmp_path: Path) -> None:
    checked = setup(tmp_path, kafka_controller_port="18081")

    assert finding_of("kafka controller", checked).found == "is given to two services of the stack"
    assert finding_of("flink", checked).is_fault


def test_address_of_another_machine_is_a_fault(tmp_path: Path) -> None:
    finding = finding_of("kafka", setup(tmp_path, kafka_bootstrap_servers="192.0.2.1:9092"))

    assert finding.found.startswith("can't be opened on 192.0.2.1")


def test_more_task_managers_than_the_memory_holds_are_a_fault(tmp_path: Path) -> None:
    stacks = [declared(setup(tmp_path, flink_task_managers=number)) for number in ("1", "99")]

    one, many = map(preflight.memory, stacks)

    assert f"{gibibytes(stacks[0]):.1f} needed" in one.found
    assert many.is_fault


def test_memory_of_a_running_service_is_not_required_again(tmp_path: Path) -> None:
    stack = declared(setup(tmp_path, flink_task_managers="1"))
    kafka = next(service for service in stack if service.name == "kafka")
    kafka.place.folder.mkdir(parents=True)
    processes.record(os.getpid(), kafka.place.pid_file, "")

    assert f"{gibibytes(each for each in stack if each is not kafka):.1f} needed" in preflight.memory(stack).found


def gibibytes(of: Iterable[Service]) -> float:
    """Return the memory of all services together."""
    return sum(service.memory_bytes for service in of) / GIB


def test_port_of_a_service_that_is_not_wanted_is_not_checked(tmp_path: Path, occupied: int) -> None:
    stack = setup(tmp_path, flink_rest_url=f"http://127.0.0.1:{occupied}")
    kafka_alone = services.with_needed(declared(stack), ["kafka"])

    assert not any(finding.is_fault for finding in preflight.ports(stack, kafka_alone) if "flink" in finding.subject)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, "shop and warehouse on one server"),
        ({"warehouse_url": "postgresql://127.0.0.1:5433/warehouse"}, ".+ are on two servers, the stack has one"),
        ({"warehouse_password": "other"}, "millrace has two passwords, one for shop and one for warehouse"),
        (
            {"warehouse_url": "postgresql://127.0.0.1:15432/shop", "warehouse_user": "ann"},
            "shop is to belong to both millrace and ann",
        ),
        ({"shop_database_user": "postgres"}, "postgres is the server's superuser, who can't connect"),
    ],
)
def test_databases_that_do_not_fit_one_server_are_a_fault(
    tmp_path: Path, variables: dict[str, str], found: str
) -> None:
    finding = preflight.databases(setup(tmp_path, **variables))

    assert re.fullmatch(found, finding.found)
    assert finding.is_fault == bool(variables)


def test_folder_that_servers_can_not_enter_is_a_fault_for_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    found = [finding.found for finding in preflight.folders(setup(closed / "state")) if finding.is_fault]

    expected = [f"user 65534, as which servers run, can't enter {closed}"] if os.geteuid() == 0 else []
    assert found == expected


def test_every_fault_is_reported_not_only_the_first() -> None:
    findings = [Finding("disk", "full", "Make room"), Finding("Java", "21"), Finding("memory", "none", "Buy some")]

    with pytest.raises(PreflightError) as error:
        preflight.require(findings)

    assert str(error.value) == "disk: full\n    Make room\nmemory: none\n    Buy some"


def test_doctor_accepts_the_supported_combination(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_JAVA_HOME", str(make_java_home(tmp_path, "17.0.1")))

    findings = {finding.subject: finding for finding in doctor.combination()}

    assert [subject for subject, finding in findings.items() if finding.is_fault] == ["Java version"]
    assert findings["Java version"].advice.endswith("supported: 21")
    assert findings["Flink version"].found == "2.3.0"


def test_doctor_names_the_variables_that_are_ignored() -> None:
    given = {"PATH": "/bin", "PYTHONPATH": "/spark", "JAVA_HOME": "/java-8", "https_proxy": "http://proxy:3128"}

    found = doctor.variables(given)

    assert found.found == "JAVA_HOME, PYTHONPATH ignored; https_proxy followed, but not to this machine"
    assert not found.is_fault
    assert doctor.variables({"PATH": "/bin"}).found == "none set that is ignored"


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python look for the folder of temporary files again, which it does once."""
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.mark.usefixtures("asked_anew")
def test_temporary_files_are_written_to_tmpdir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert temporary_folder() == tmp_path
    assert doctor.temporary_files().found.endswith(f"free in {tmp_path}")


@pytest.mark.usefixtures("asked_anew")
def test_missing_tmpdir_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")

    assert doctor.temporary_files().found.endswith(", since TMPDIR=/nowhere can't be used")


@pytest.mark.usefixtures("asked_anew")
def test_too_little_room_for_temporary_files_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "TEMPORARY_BYTES", 10**18)

    found = doctor.temporary_files()

    assert found.is_fault
    assert found.advice.endswith("1000000000.0 GB are needed: make room, or choose another disk with TMPDIR")


@pytest.mark.parametrize("name", ["a:b", "a,b", "a;b", "a\nb"])
def test_path_with_the_separator_of_path_lists_is_a_fault(tmp_path: Path, name: str) -> None:
    found = preflight.paths(setup(tmp_path / name))

    assert found.is_fault
    assert "(MILLRACE_STATE)" in found.found


def test_path_with_spaces_quotes_and_umlauts_is_no_fault(tmp_path: Path) -> None:
    assert not preflight.paths(setup(tmp_path / "Zustand für 'alle' & \"mich\"")).is_fault
