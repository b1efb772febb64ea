"""The stack, `ops` and jobs work in an environment and in folders that are made for other programs."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from connectors.kafka import topics
from connectors.settings import Settings
from events import FraudAlert
from local.settings import CHECKOUT
from tests.builders.checkout import copied_checkout
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import DEADLINE_SECONDS, partitions, records_from, wait_for
from toolchain.cache import cache_directory

ELSEWHERE = "192.0.2.1"
"""An address of a network reserved for documentation, where no host answers."""
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
    "HOME": "/proc",  # no user can write there
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Mapping[str, str]]:
    """Environment of a stack whose checkout, state and cache have spaces, quotes and umlauts in their paths."""
    with tempfile.TemporaryDirectory(prefix="millrace e2e für 'alle' ") as folder:
        Path(folder).chmod(0o755)
        cache = Path(folder, "Zwischenspeicher für alle")
        cache.symlink_to(cache_directory())
        packages = Path(folder, "packages")
        packages.mkdir()
        Path(packages, "py4j.py").write_text("raise ImportError('this is the py4j of another Spark')\n")
        yield (
            os.environ
            | HOSTILE
            | environment_on_free_ports(Path(folder, "Zustand"))
            | {
                "MILLRACE_CACHE": str(cache),
                "PWD": str(copied_checkout(Path(folder, "Köln's Mühle"))),
                "PYTHONPATH": str(packages),
            }
        )


def run(module: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """Run a command to its end, and return its output."""
    checkout = Path(environment["PWD"])
    done = subprocess.run(
        [checkout / Path(sys.executable).relative_to(CHECKOUT), "-m", module, *arguments],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.full
def test_stack_and_ops_work_in_a_hostile_environment(
    environment: Mapping[str, str], request: pytest.FixtureRequest
) -> None:
    modes = ("process", "thread") if request.config.getoption("full") else ("process",)
    try:
        services = ("kafka", "postgres", "mailbox", "registry", "taskmanager-1")
        output = run("local.stack", "up", *services, "--taskmanagers", "1", environment=environment)
        assert "stack: up after" in output

        assert "payments" in run("ops", "topics", "apply", "--yes", environment=environment)
        assert "payments" in run("ops", "schemas", "register", environment=environment)
        run("ops", "warehouse", "migrate", "--yes", environment=environment)
        assert "healthy" in run("local.stack", "status", environment=environment)
        state = Path(environment["MILLRACE_STATE"])
        assert (state / "kafka" / "data" / "meta.properties").is_file()
        assert (state / "postgres" / "log" / "postgres.log").is_file()

        run("ops", "rulesets", "publish", "udfs/fraud/rulesets/default.toml", environment=environment)
        for mode in modes:
            options = ("-D", f"python.execution-mode={mode}")
            group = {"MILLRACE_CONSUMER_GROUP_PREFIX": mode}
            run("ops", "submit", "fraud_detection", *options, environment=environment | group)
        fraud = ("--seconds", "10", "--fraud-share", "0.5")
        run("local.simulator.payment_service", *fraud, environment=environment)
        settings = Settings.from_environment(environment)
        wait_for("an alert of each job", lambda: len(modes) in alerts(settings).values())
        wait_for("a checkpoint", lambda: any(state.glob("flink/checkpoints/*/chk-*/_metadata")))
    finally:
        run("local.stack", "down", "--delete-data", environment=environment)


def alerts(settings: Settings) -> Counter[str]:
    """Return how many times each alert is in its topic, by id."""
    begin_at = dict.fromkeys(partitions([topics.FRAUD_ALERTS]), 0)
    records = records_from(settings, begin_at)
    return Counter(msgspec.json.decode(each.value, type=FraudAlert).event_id for each in records)
