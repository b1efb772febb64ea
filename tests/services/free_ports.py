"""Free ports for services that tests start; none is given out twice."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

FIRST, LAST = 10_000, 32_000
"""Below the ports of outgoing connections, one of which could be taken before its service listens."""
MOST_WORKERS = 4
SPAN = (LAST - FIRST) // MOST_WORKERS
"""Size of the range that each worker process of a test run has to itself."""


def _numbers() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + worker % MOST_WORKERS * SPAN
    offset = random.SystemRandom().randrange(SPAN)  # a concurrent run begins somewhere else
    while True:
        yield first + offset % SPAN
        offset += 1


_left = _numbers()


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nothing listens."""
    found: list[int] = []
    while len(found) < count:
        number = next(_left)
        with suppress(OSError), socket.create_server(("127.0.0.1", number)):
            found.append(number)
    return found


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]
