"""The live page of one test, served for real by a thread of the test's process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from ops.page.server import News, listen, server
from ops.page.snapshot import Snapshot
from tests.builders.page import page_layout

HOST = "127.0.0.1"
START_SECONDS = 20


@contextmanager
def page_at(port: int, snapshot: Callable[[], Snapshot], every: float = 0.2, host: str = HOST) -> Iterator[str]:
    """Serve the page while the block runs; yield its address.

    Args:
        host: for what the page takes the address where it listens.
    """
    with listen(HOST, port) as listening:
        serving = server(News(every, snapshot, page_layout()), host)
        thread = Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not serving.started:
                assert time.monotonic() < deadline, "the page was not served in time"
                time.sleep(0.01)
            yield f"http://{HOST}:{port}"
        finally:
            serving.should_exit = True
            thread.join()
