"""Selection of the tests of a run, its number of processes, and how hypothesis judges its examples."""

import os

import psutil
import pytest
from hypothesis import HealthCheck, settings

BYTES_OF_TWO_STACKS = 11 * 2**30

# No example is judged by how long it takes, since the machine may be busy.
settings.register_profile("millrace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("millrace")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full`."""
    parser.addoption(
        "--full", action="store_true", help="Run the tests marked `full`, too, and let outages last for minutes."
    )


def pytest_xdist_auto_num_workers() -> int:
    """Number of processes for `-n auto`: two where two stacks have room, else none beside this one."""
    return 2 if (os.cpu_count() or 1) > 1 and psutil.virtual_memory().available >= BYTES_OF_TWO_STACKS else 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked `full` unless `--full` is given."""
    if config.getoption("full"):
        return
    deselected = [item for item in items if item.get_closest_marker("full")]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
