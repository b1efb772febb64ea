"""A service as a process of its own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.settings import Settings
from local.settings import CHECKOUT

HEARS_CTRL_C = ("env", "--default-signal=INT")
"""Beginning of the command of a process that gets SIGINT. A shell without job control lets its background processes
ignore it, and the tests inherit that."""

NO_SERVICE_ANSWERS = Settings(
    kafka_bootstrap_servers="127.0.0.1:9",
    schema_registry_url="http://127.0.0.1:9",
    flink_rest_url="http://127.0.0.1:9",
    connect_url="http://127.0.0.1:9",
    shop_database_url="postgresql://127.0.0.1:9/shop",
    warehouse_url="postgresql://127.0.0.1:9/warehouse",
    elasticsearch_url="http://127.0.0.1:9",
).as_variables() | {"MILLRACE_SMTP_URL": "smtp://127.0.0.1:9"}
"""Variables by which no service answers."""


@contextmanager
def running(command: Sequence[str], variables: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process while the block runs, and kill it at the end if it still runs.

    Args:
        variables: added to the test's own environment.
        output: file to which the output is appended.
    """
    with output.open("ab") as file:
        service = subprocess.Popen(
            command, cwd=CHECKOUT, env=os.environ | variables, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield service
    finally:
        service.kill()
        service.wait()
