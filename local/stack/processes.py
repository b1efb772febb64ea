"""Which process is ours, and how is one started and ended?

A process id alone says little: the number is used again after a process has ended. So the pid file holds also when the
process was started (clock ticks since boot) and in which boot. Each service is the leader of a session of its own,
and what it starts is found by that session also when its parent has gone. PostgreSQL's processes leave it, each for a
session of its own: they are known by running the same program in the service's folder.
"""

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SHARED_MEMORY = Path("/proc/sysvipc/shm")
"""System V segments, a line each: key, identifier, permissions, size, maker, last user, how many use it."""
IPC_RMID = 0
_CHILDREN: list[subprocess.Popen[bytes]] = []
"""Kept because Python warns of a child that is forgotten while it runs, which services do when `up` has ended."""

SECONDS_BETWEEN_LOOKS = 0.05
KILL_TAKES_SECONDS = 10.0
"""A killed process is gone in milliseconds, unless it writes much memory to disk."""


@dataclass(frozen=True)
class Recorded:
    """A pid file's content."""

    pid: int
    boot: str
    start_ticks: int
    fingerprint: str
    """Of what it was started with."""
    program: str
    """The file that it runs."""
    folder: str
    """Of its service: where the pid file lies."""

    def runs(self) -> bool:
        """Whether this very process is alive; one that only waits to be collected by its parent is not."""
        return self.is_this_boot() and _start_ticks(self.pid) == self.start_ticks

    def alive(self) -> list[psutil.Process]:
        """What is alive of it: itself, and what it started."""
        if not self.is_this_boot():
            return []
        return [process for process in psutil.process_iter() if self._includes(process)]

    def _includes(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and (
                self._is_in_session(process) or self._is_same_program(process)
            )
        except (ProcessLookupError, psutil.Error):
            return False

    def _is_in_session(self, process: psutil.Process) -> bool:
        return os.getsid(process.pid) == self.pid and _start_ticks(self.pid) in {None, self.start_ticks}

    def _is_same_program(self, process: psutil.Process) -> bool:
        return process.exe() == self.program and Path(process.cwd()).is_relative_to(self.folder)

    def is_this_boot(self) -> bool:
        """Whether the machine has not been started again since."""
        return self.boot == _boot()


def read(pid_file: Path) -> Recorded | None:
    """What a pid file says, or None if there is none or it can't be understood (a crash can leave it empty)."""
    try:
        return Recorded(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(pid_file: Path) -> Recorded | None:
    """The process of a pid file if it is alive."""
    recorded = read(pid_file)
    return recorded if recorded and recorded.runs() else None


@dataclass(frozen=True)
class Surroundings:
    """What a process is started in."""

    environment: Mapping[str, str]
    folder: Path
    """Its working directory."""
    output: IO[bytes]
    """Where its stdout and stderr go."""
    user: int | None
    """Number of the user, and group, as which it runs; None: as this process does."""

    def popen(self, command: Sequence[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, out of reach of the terminal's signals."""
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.folder,
            stdin=stdin,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            umask=0o022,
        )

    def run(self, command: Sequence[str], text: str) -> int:
        """Run a process to its end with a text on its stdin; its exit status."""
        process = self.popen(command, subprocess.PIPE)
        process.communicate(text.encode())
        return process.returncode


def start(command: Sequence[str], surroundings: Surroundings, pid_file: Path, fingerprint: str) -> None:
    """Start a process and note it in its pid file."""
    process = surroundings.popen(command)
    record(process.pid, pid_file, fingerprint)
    _CHILDREN.append(process)


def record(pid: int, pid_file: Path, fingerprint: str) -> None:
    """Write a pid file; none for a process that has ended already."""
    ticks = _start_ticks(pid)
    if ticks is None:
        return
    program = os.path.realpath(f"/proc/{pid}/exe")
    recorded = Recorded(pid, _boot(), ticks, fingerprint, program, str(pid_file.parent.resolve()))
    partial = pid_file.with_name(f".{pid_file.name}.partial")
    partial.touch(0o600)  # a fingerprint is of passwords too
    partial.write_text(json.dumps(asdict(recorded)) + "\n")
    partial.replace(pid_file)


def stop(recorded: Recorded, stop_signal: signal.Signals, grace_seconds: float) -> list[str]:
    """End a process and all that it started.

    Returns:
        What had to be killed because it didn't go by itself, in words.
    """
    killed = []
    if recorded.runs() and not _signal(psutil.Process(recorded.pid), stop_signal, grace_seconds):
        kill(recorded)
        killed.append(f"killed process {recorded.pid}: still there {grace_seconds:.0f} s after {stop_signal.name}")
    for orphan in recorded.alive():
        _signal(orphan, signal.SIGKILL, KILL_TAKES_SECONDS)
        killed.append(f"killed process {orphan.pid}, which it had started and which outlived it")
    return killed


def kill(recorded: Recorded) -> None:
    """End a process at once, as a crash would, and wait until it has gone; what it started is left alone."""
    if recorded.runs():
        _signal(psutil.Process(recorded.pid), signal.SIGKILL, KILL_TAKES_SECONDS)


def ends(process: psutil.Process, within_seconds: float) -> bool:
    """Wait for the end of a process, also of one that its parent doesn't collect (as PID 1 of many containers)."""
    deadline = time.monotonic() + within_seconds
    while True:
        # First, since to wait collects a child of ours that has ended.
        has_ended = _start_ticks(process.pid) is None
        try:
            process.wait(SECONDS_BETWEEN_LOOKS)
        except psutil.TimeoutExpired:
            if has_ended:
                return True
            if time.monotonic() > deadline:
                return False
        else:
            return True


def free_shared_memory(recorded: Recorded) -> None:
    """Let the system forget the System V memory that a process made, was killed before it removed, and nobody uses."""
    if recorded.runs() or not recorded.is_this_boot():
        return
    for line in SHARED_MEMORY.read_text().splitlines()[1:]:
        _, identifier, _, _, creator, _, users, *_ = map(int, line.split())
        if creator == recorded.pid and users == 0:
            ctypes.CDLL(None).shmctl(identifier, IPC_RMID, None)


def _signal(process: psutil.Process, number: signal.Signals, within_seconds: float) -> bool:
    """Send it, and say whether the process ended in time."""
    try:
        process.send_signal(number)
        process.resume()  # one that is suspended would not hear of anything but SIGKILL
    except psutil.NoSuchProcess:
        return True
    return ends(process, within_seconds)


def _boot() -> str:
    return BOOT_ID.read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """When a living process was started, in clock ticks since boot; unlike the time of day it never shifts."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in {"Z", "X"} else int(after_name[19])
