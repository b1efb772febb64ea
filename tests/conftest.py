"""Selection of the tests of a run, its number of processes, and how hypothesis judges its examples."""

import os
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

BYTES_OF_A_STACK = 11 * 2**29
TESTS = Path(__file__).parent
LONG_FILES = [
    TESTS / "cluster" / each
    for each in (
        "sql/test_sql_pipelines.py",
        "warehouse/test_warehouse.py",
        "sql/test_sql_planning.py",
        "new/test_new.py",
        "jobs/test_any_record.py",
    )
]
WITH_ELASTICSEARCH = ("tests/cluster/search/", "tests/cluster/stack/test_elasticsearch_service.py")

# No example is judged by how long it takes, since the machine may be busy.
settings.register_profile("millrace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("millrace")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full`."""
    parser.addoption(
        "--full", action="store_true", help="Run the tests marked `full`, too, and let outages last for minutes."
    )


def processes(most: int) -> int:
    """Return a number of processes for pytest-xdist: as many as stacks have room; 0, none beside this one, for one."""
    number = min(most, psutil.virtual_memory().available // BYTES_OF_A_STACK)
    return number if number > 1 else 0


def pytest_xdist_auto_num_workers() -> int:
    """Number of processes for `-n auto`: one more than two cores can serve, since each waits a quarter of its time."""
    return processes(min(3, (os.cpu_count() or 1) + 1))


class _OneElasticsearch(LoadFileScheduling):
    """Files for whichever process is free; those that need Elasticsearch for the same one, which starts it once."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "Elasticsearch" if file.startswith(WITH_ELASTICSEARCH) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _OneElasticsearch:
    """Schedule by files, more or less."""
    return _OneElasticsearch(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long files first, so that all processes end at about the same time; deselect the tests marked `full` unless
    `--full` is given.
    """
    items.sort(key=lambda item: item.path not in LONG_FILES)
    if config.getoption("full"):
        return
    deselected = [item for item in items if item.get_closest_marker("full")]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
