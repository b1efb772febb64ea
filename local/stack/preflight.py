"""Checks before the start whether the stack can run on this machine; `tools.doctor` shows these checks and more."""

import errno
import os
import pwd
import re
import shlex
import socket
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from connectors.settings import PATH_ENDS
from local.settings import CHECKOUT, Port, stack_ports
from local.stack import processes
from local.stack.service import GIB, UNPRIVILEGED, Service
from local.stack.services import postgres
from local.stack.setup import MINIMUM_JAVA, Setup
from toolchain.cache import CacheError, cache_directory, free_bytes
from toolchain.java import JavaError, java_home, java_version
from toolchain.pinned_jars import jars_directory, locked, missing

STATE_BYTES = 3 * GIB
"""Minimum of free disk, for one day's use: Kafka's segments, PostgreSQL's files and log of changes, indices,
checkpoints and logs."""
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Finding:
    """Outcome of one check."""

    subject: str
    found: str
    advice: str = ""
    """What to do about it; empty if nothing is wrong."""

    @property
    def is_fault(self) -> bool:
        """Whether it must be fixed first."""
        return bool(self.advice)


class PreflightError(RuntimeError):
    """The stack can't run in the current state of the machine; the text says what was found, and what to do next."""


def require(findings: Iterable[Finding]) -> None:
    """Raise if anything is wrong.

    Raises:
        PreflightError: with every fault, not only the first.
    """
    faults = [finding for finding in findings if finding.is_fault]
    if faults:
        raise PreflightError("\n".join(f"{f.subject}: {f.found}\n    {f.advice}" for f in faults))


def before_start(setup: Setup, services: Sequence[Service]) -> list[Finding]:
    """Return the checks of what these services need to start, taking into account those that already run."""
    found = [java(), jars(), *ports(setup, services), memory(services), disk(setup), paths(setup), *folders(setup)]
    if any(service.name == postgres.NAME for service in services):
        found += [databases(setup), user()]
    return found


def java() -> Finding:
    """Check the Java that runs everything."""
    try:
        home = java_home(MINIMUM_JAVA)
    except (JavaError, CacheError) as error:
        return Finding("Java", "unusable", str(error))
    return Finding("Java", f"{java_version(home)} in {home}")


def jars() -> Finding:
    """Check whether everything in jars.lock has been fetched."""
    absent = missing()
    if absent:
        return Finding("jars", f"{len(absent)} are not in {jars_directory()}", "Run `python -m toolchain.jars fetch`")
    return Finding("jars", f"all {len(locked())} in {jars_directory()}")


def ports(setup: Setup, services: Sequence[Service]) -> Iterator[Finding]:
    """Yield a check of every port of these services: free, held by this stack, or by another process."""
    names = {name for service in services for name in service.ports}
    declared = [port for port in stack_ports(setup.settings, setup.local) if port.service in names]
    uses = Counter(port.number for port in declared)
    for port in declared:
        subject = f"port {port.number} ({port.service})"
        if uses[port.number] > 1:
            yield Finding(subject, "is given to two services of the stack", _choose_another(port))
        else:
            yield _port(subject, port, setup.state)


def _port(subject: str, port: Port, state: Path) -> Finding:
    try:
        _bind(port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Finding(subject, f"can't be opened on {port.host}: {error.strerror}", _choose_another(port))
    else:
        return Finding(subject, "free")
    holder = _listeners().get(port.number)
    if holder is not None and is_of_stack(holder, state):
        return Finding(subject, f"held by this stack, process {holder}")
    return Finding(subject, f"in use by {_describe(holder)}", f"Stop that, or {_choose_another(port)}")


def is_of_stack(process: int, state: Path) -> bool:
    """Return whether a process belongs to the stack with this state folder.

    Each of them works in a folder there, or is in the session of a service, whose process id is there: what
    Elasticsearch's service starts works in the folder of its programs.
    """
    try:
        if Path(psutil.Process(process).cwd()).is_relative_to(state.resolve()):
            return True
        session = os.getsid(process)
    except (ProcessLookupError, psutil.Error):
        return False
    services = (processes.running(pid_file) for pid_file in state.glob("*/pid"))
    return any(service.pid == session for service in services if service)


def memory(services: Sequence[Service]) -> Finding:
    """Check that there is enough memory for those of these services that don't run yet."""
    needed = sum(each.memory_bytes for each in services if not processes.running(each.place.pid_file))
    available = available_memory()
    found = f"{available / GIB:.1f} GiB available, {needed / GIB:.1f} needed for what doesn't run yet"
    if available < needed:
        return Finding("memory", found, "Close something, or set MILLRACE_FLINK_TASK_MANAGERS lower")
    return Finding("memory", found)


def available_memory() -> int:
    """Return how many bytes processes can still take, within the limit of this container if it has one."""
    available = psutil.virtual_memory().available
    limit = CGROUP / "memory.max"
    if not limit.is_file() or limit.read_text().strip() == "max":
        return available
    caches = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    used = int((CGROUP / "memory.current").read_text()) - int(caches)
    return min(available, int(limit.read_text()) - used)


def disk(setup: Setup) -> Finding:
    """Check that there is room for what the stack writes."""
    free = free_bytes(setup.state)
    found = f"{free / GIB:.1f} GiB free in {setup.state}, {STATE_BYTES / GIB:.0f} needed"
    if free < STATE_BYTES:
        return Finding("disk", found, "Make room, or choose another disk with MILLRACE_STATE")
    return Finding("disk", found)


def paths(setup: Setup) -> Finding:
    """Check whether the paths of all folders can be in lists of paths, as Java, Kafka and Flink write them."""
    places = {"this checkout": CHECKOUT, "MILLRACE_CACHE": cache_directory(), "MILLRACE_STATE": setup.state}
    wrong = {name: path for name, path in places.items() if re.search(f"[{PATH_ENDS}]", str(path))}
    if wrong:
        found = ", ".join(f"{path} ({name})" for name, path in wrong.items())
        return Finding("paths", f"no colon, comma or semicolon can be in {found}", "Choose another folder")
    return Finding("paths", "can stand in lists of paths")


def folders(setup: Setup) -> Iterator[Finding]:
    """Yield, as root, a check that the servers' unprivileged user can enter the cache and the state folder."""
    if os.geteuid() != 0:
        return
    for folder, name in ((cache_directory(), "MILLRACE_CACHE"), (setup.state, "MILLRACE_STATE")):
        closed = next((f for f in (folder, *folder.parents) if f.exists() and not _can_be_entered(f)), None)
        if closed:
            yield Finding(
                f"folder {folder}",
                f"user {UNPRIVILEGED}, as which servers run, can't enter {closed}",
                f"`chmod o+x {closed}`, or choose another folder with {name}",
            )
        else:
            yield Finding(f"folder {folder}", "can be entered by the servers")


def databases(setup: Setup) -> Finding:
    """Check whether the local server can have the databases and users of the settings."""
    names = " and ".join(dict.fromkeys(database.name for database in postgres.databases(setup.settings)))
    if contradiction := postgres.contradiction(setup.settings):
        return Finding("databases", contradiction, "Change MILLRACE_SHOP_DATABASE_… or MILLRACE_WAREHOUSE_…")
    return Finding("databases", f"{names} on one server")


def user() -> Finding:
    """Check whether the user as which servers run has a name: PostgreSQL doesn't start without one."""
    number = os.geteuid() or UNPRIVILEGED
    try:
        return Finding("user", f"servers run as {pwd.getpwuid(number).pw_name}")
    except KeyError:
        return Finding("user", f"{number} has no name, and PostgreSQL wants one", "Add the user to /etc/passwd")


def _can_be_entered(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _bind(port: Port) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)


def _listeners() -> dict[int, int]:
    """Return the listening processes by port, as far as this user may see them."""
    return {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid
    }


def _describe(process: int | None) -> str:
    if process is None:
        return "a process of another user"
    try:
        command = shlex.join(psutil.Process(process).cmdline())
    except psutil.Error:
        command = "which has just ended"
    return f"process {process}: {command if len(command) <= 100 else command[:97] + '...'}"


def _choose_another(port: Port) -> str:
    other = port.number + 10_000 if port.number < 55_536 else port.number - 10_000
    return f"choose another: {port.variable}={port.value.replace(str(port.number), str(other), 1)}"
