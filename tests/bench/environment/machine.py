"""Describes the machine of a measurement, and the versions of the contenders' software."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

import psutil

from local.stack.setup import Setup
from tests.bench.environment import peer_python
from tests.bench.reports.results import Machine
from toolchain.pinned_jars import LOCK_FILE

PEERS = ("bytewax", "quixstreams", "confluent-kafka", "msgspec")


LOOK_SECONDS = 3.0


def busy() -> float:
    """Return the share of all cores in use now; not the load average, which includes processes that have just ended."""
    return psutil.cpu_percent(LOOK_SECONDS) / 100


def describe(setup: Setup, busy_before: float) -> Machine:
    """Describe this machine.

    Args:
        busy_before: share of its cores in use before anything was measured.
    """
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        kernel=platform.release(),
        busy_before=busy_before,
        versions={
            "Python": platform.python_version(),
            "Flink": metadata.version("apache-flink"),
            "Java": _java(setup.java_home),
            "Kafka": _first(r":kafka-server:([\w.-]+)", LOCK_FILE.read_text()),
            **{name: _first(rf"^{name}==([\w.]+)", peer_python.LOCK.read_text()) for name in PEERS},
        },
    )


def _processor() -> str:
    return _first(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text())


def _java(home: Path) -> str:
    return _first(r'^JAVA_VERSION="(.+)"$', (home / "release").read_text())


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else "unknown"


HEAD = ("what", "is")


def rows(machine: Machine) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    return [
        ("processor", f"{machine.processor}, {machine.cores} cores"),
        ("memory", f"{machine.memory_bytes / 2**30:.0f} GiB"),
        ("Linux", machine.kernel),
        ("busy before", f"{machine.busy_before:.0%}"),
        *machine.versions.items(),
    ]
