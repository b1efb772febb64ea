"""Ports for services that tests start, none of which is given out twice."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

FIRST, LAST = 10_000, 32_000
"""Below those that the system gives to outgoing connections, which could take one before its service listens."""
MOST_WORKERS = 4
SPAN = (LAST - FIRST) // MOST_WORKERS
"""Each worker process of a test run has a range of its own."""


def _numbers() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + worker % MOST_WORKERS * SPAN
    offset = random.SystemRandom().randrange(SPAN)  # another run beside this one begins somewhere else
    while True:
        yield first + offset % SPAN
        offset += 1


_left = _numbers()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens."""
    found: list[int] = []
    while len(found) < count:
        number = next(_left)
        with suppress(OSError), socket.create_server(("127.0.0.1", number)):
            found.append(number)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
