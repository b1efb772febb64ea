"""The stack's PostgreSQL server alone, for tests that need no more."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.stack.supervisor import Stack


@contextmanager
def lone_postgres() -> Iterator[Stack]:
    """A server on a free port and in a folder of its own; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    # Not pytest's own folder, which a server that runs as another user can't enter.
    folder = Path(tempfile.mkdtemp(prefix="millrace-postgres-"))
    folder.chmod(0o755)
    stack = Stack.from_environment(
        {
            "MILLRACE_STATE": str(folder / "stack"),
            "MILLRACE_SHOP_DATABASE_URL": f"postgresql://127.0.0.1:{port}/shop",
            "MILLRACE_WAREHOUSE_URL": f"postgresql://127.0.0.1:{port}/warehouse",
        }
    )
    try:
        stack.up(["postgres"])
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder)
