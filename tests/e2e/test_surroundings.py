"""The stack and `ops` do what they are told in an environment that is made for other programs."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from connectors.cache import cache_directory
from local.settings import CHECKOUT
from tests.e2e.conftest import environment_on_free_ports

DEADLINE_SECONDS = 120
ELSEWHERE = "192.0.2.1"
"""Of a net that is reserved for documentation: nobody answers there."""
HOSTILE = {
    "LC_ALL": "C",
    "HTTP_PROXY": f"http://{ELSEWHERE}:3128",
    "ALL_PROXY": f"http://{ELSEWHERE}:3128",
    "JAVA_TOOL_OPTIONS": "-XX:NoSuchOption",
    "_JAVA_OPTIONS": "-XX:NoSuchOption",
    "JDK_JAVA_OPTIONS": "-XX:NoSuchOption",
    "JAVA_HOME": "/nowhere",
    "CLASSPATH": "/nowhere",
    "KAFKA_OPTS": "-XX:NoSuchOption",
    "KAFKA_HEAP_OPTS": "-Xmx1k",
    "FLINK_CONF_DIR": "/nowhere",
    "PGHOSTADDR": ELSEWHERE,
    "PGSERVICE": "nowhere",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c no_such_setting=on",
    "TMPDIR": "/nowhere",
    "HOME": "/proc",  # where nobody can write
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Mapping[str, str]]:
    """Of a stack whose state and cache have spaces, quotes and umlauts in their paths."""
    with tempfile.TemporaryDirectory(prefix="millrace e2e für 'alle' ") as folder:
        Path(folder).chmod(0o755)
        cache = Path(folder, "Zwischenspeicher für alle")
        cache.symlink_to(cache_directory())
        yield os.environ | HOSTILE | environment_on_free_ports(Path(folder, "Zustand")) | {"MILLRACE_CACHE": str(cache)}


def run(module: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """Run a command to its end; its output."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_stack_and_ops_work_in_a_hostile_environment(environment: Mapping[str, str]) -> None:
    try:
        said = run("local.stack", "up", "kafka", "postgres", "mailbox", "registry", environment=environment)
        assert "stack: up after" in said

        assert "payments" in run("ops", "topics", "apply", "--yes", environment=environment)
        assert "payments" in run("ops", "schemas", "register", environment=environment)
        run("ops", "warehouse", "migrate", "--yes", environment=environment)
        assert "healthy" in run("local.stack", "status", environment=environment)
        state = Path(environment["MILLRACE_STATE"])
        assert (state / "kafka" / "data" / "meta.properties").is_file()
        assert (state / "postgres" / "log" / "postgres.log").is_file()
    finally:
        run("local.stack", "down", "--delete-data", environment=environment)
