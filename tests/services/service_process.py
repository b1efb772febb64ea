"""A service of ours as a process of its own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.settings import CHECKOUT


@contextmanager
def running(command: Sequence[str], variables: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, killed at the end if it still runs.

    Args:
        variables: of its environment, beside the test's own.
        output: what it says is added there.
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
