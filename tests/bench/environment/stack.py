"""Starts a separate stack for the benchmark: Kafka and Flink, with all topics and the default rules."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from local.stack.supervisor import Stack
from tests.bench.contenders.peer_logic import default_ruleset
from tests.bench.environment.topics import create
from tests.e2e.conftest import environment_on_free_ports

SERVICES = ("kafka", "jobmanager", "taskmanager-1")


@contextmanager
def bench_stack(task_managers: int = 1) -> Iterator[Stack]:
    """Start Kafka and Flink on free ports; afterwards they are stopped and their files are deleted.

    Args:
        task_managers: how many there are; only the first one is started.
    """
    folder = Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    folder.chmod(0o755)
    with mock.patch.dict(os.environ, environment_on_free_ports(folder / "stack") | {"MILLRACE_JVM_COMPILER": "full"}):
        stack = Stack.from_environment(task_managers=task_managers)
        try:
            stack.up(SERVICES)
            create(stack.setup.settings, default_ruleset())
            yield stack
        finally:
            stack.down()
            shutil.rmtree(folder)
