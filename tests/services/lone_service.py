"""One service of the stack alone, for tests that need no more."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.stack.supervisor import Stack
from tests.services.free_ports import free_port


@contextmanager
def lone_service(name: str, addresses: Mapping[str, str]) -> Iterator[Stack]:
    """Run a service on a free port and in a folder of its own while the block runs.

    Args:
        addresses: variables with the service's addresses, which contain `{port}`.
    """
    port = free_port()
    # A server that runs as another user can't enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix=f"millrace-{name}-"))
    folder.chmod(0o755)
    variables = {variable: address.format(port=port) for variable, address in addresses.items()}
    stack = Stack.from_environment({"MILLRACE_STATE": str(folder / "stack"), **variables})
    try:
        stack.up([name])
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder)
