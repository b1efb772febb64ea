"""One stack for all tests in this folder, on free ports and in a folder of its own; it ends with them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from local.stack.supervisor import Stack
from ops.jobs import submit
from tests.conftest import processes
from tests.e2e.warm_client import WarmClient
from tests.services.free_ports import free_ports
from toolchain.scratch import scratch_folder

STACKS_OF_THEIR_OWN = (
    *("test_demo.py", "test_broker_outage.py", "test_surroundings.py", "test_search_rebuild.py"),
    *("test_chaos.py", "test_shop.py"),
)


def pytest_xdist_auto_num_workers() -> int:
    """Number of processes for `-n auto`: a third stack takes more of two cores than it uses of their idle time."""
    return processes(min(2, os.cpu_count() or 1))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with stacks of their own first: the shared one, which stays, would take the memory for them.

    The others are in the order of their folders. Those of `capture` must be the first of them: they compare all records
    of topics to which others publish rows that are in no table.
    """
    items.sort(key=lambda item: item.path.name not in STACKS_OF_THEIR_OWN)


def environment_on_free_ports(state: Path) -> dict[str, str]:
    """Variables of a stack that doesn't disturb any other."""
    kafka, controller, registry, management, rest, rpc, connect, postgres, elasticsearch, smtp = free_ports(10)
    return {
        "MILLRACE_STATE": str(state),
        "MILLRACE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka}",
        "MILLRACE_KAFKA_CONTROLLER_PORT": str(controller),
        "MILLRACE_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{registry}/apis/ccompat/v7",
        "MILLRACE_REGISTRY_MANAGEMENT_PORT": str(management),
        "MILLRACE_CONNECT_URL": f"http://127.0.0.1:{connect}",
        "MILLRACE_SHOP_DATABASE_URL": f"postgresql://127.0.0.1:{postgres}/shop",
        "MILLRACE_WAREHOUSE_URL": f"postgresql://127.0.0.1:{postgres}/warehouse",
        "MILLRACE_ELASTICSEARCH_URL": f"http://127.0.0.1:{elasticsearch}",
        "MILLRACE_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
        "MILLRACE_FLINK_REST_URL": f"http://127.0.0.1:{rest}",
        "MILLRACE_FLINK_JOBMANAGER_PORT": str(rpc),
    }


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The running stack; `MILLRACE_*` point to it, for tests and for what they start."""
    # Servers that run as another user can't enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="millrace-e2e-"))
    folder.chmod(0o755)
    with mock.patch.dict(os.environ, environment_on_free_ports(folder / "stack")):
        running = Stack.from_environment()
        try:
            running.up()
            yield running
        finally:
            running.down()
            shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def warm_client() -> Iterator[None]:
    """Submissions of this process go through one client that stays; commands that tests start have clients of their
    own.
    """
    with scratch_folder() as folder:
        client = WarmClient(folder)
        with mock.patch.object(submit, "run_client", client.run):
            yield
        client.end()


@pytest.fixture
def outage_seconds(request: pytest.FixtureRequest) -> float:
    """How long a service that a test kills stays unavailable; with `--full` longer than every time-out on the way."""
    return 120.0 if request.config.getoption("full") else 15.0
