"""The stack's Elasticsearch alone, for tests that need no more."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from local.stack import processes
from local.stack.supervisor import Stack

ENDS_WITHIN_SECONDS = 30


@contextmanager
def lone_elasticsearch() -> Iterator[Stack]:
    """A node on a free port and in a folder of its own, at `stack.setup.settings.elasticsearch_url`."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    # Not pytest's own folder, which a server that runs as another user can't enter.
    folder = Path(tempfile.mkdtemp(prefix="millrace-elasticsearch-"))
    folder.chmod(0o755)
    stack = Stack.from_environment(
        {"MILLRACE_STATE": str(folder / "stack"), "MILLRACE_ELASTICSEARCH_URL": f"http://127.0.0.1:{port}"}
    )
    try:
        stack.up(["elasticsearch"])
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder)


def kill_node(stack: Stack) -> None:
    """End Elasticsearch at once, as a crash would; `stack.start("elasticsearch")` brings it back.

    `stack.kill` kills the launcher that started the node, at which the node ends in an orderly way.
    """
    recorded = processes.running(stack.service("elasticsearch").place.pid_file)
    assert recorded, "Elasticsearch doesn't run"
    launcher = psutil.Process(recorded.pid)
    (node,) = launcher.children()
    node.kill()
    launcher.wait(ENDS_WITHIN_SECONDS)
