"""Starts, identifies and stops the stack's processes.

A process id alone is not enough: the number is used again after a process has ended. So the pid file also has the start
time of the process (clock ticks since boot) and the boot. Each service is the leader of a session of its own, and what
it starts is found by that session even after its parent has ended. PostgreSQL's processes leave it, each for a session
of its own: they are identified by running the same program in the service's folder.
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
"""System V segments, one per line: key, identifier, permissions, size, creator, last user, number of users."""
IPC_RMID = 0
_CHILDREN: list[subprocess.Popen[bytes]] = []
"""Children, kept because Python warns of a forgotten child that still runs, as services do when `up` has ended."""

SECONDS_BETWEEN_LOOKS = 0.05
KILL_TAKES_SECONDS = 10.0
"""Maximum wait for the end of a killed process, which takes milliseconds unless it writes much memory to disk."""


@dataclass(frozen=True)
class Recorded:
    """Content of a pid file."""

    pid: int
    boot: str
    start_ticks: int
    fingerprint: str
    """Fingerprint of what the process was started with."""
    program: str
    """Path of the program that it runs."""
    folder: str
    """Folder of its service, in which the pid file lies."""

    def runs(self) -> bool:
        """Return whether this very process is alive; a zombie is not."""
        return self.is_this_boot() and _start_ticks(self.pid) == self.start_ticks

    def alive(self) -> list[psutil.Process]:
        """Return its living processes: itself, and what it started."""
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
        """Return whether the machine has not been restarted since."""
        return self.boot == _boot()


def read(pid_file: Path) -> Recorded | None:
    """Read a pid file; None if it doesn't exist or can't be parsed (a crash can leave it empty)."""
    try:
        return Recorded(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(pid_file: Path) -> Recorded | None:
    """Return the process of a pid file if it is alive."""
    recorded = read(pid_file)
    return recorded if recorded and recorded.runs() else None


@dataclass(frozen=True)
class Surroundings:
    """Environment in which a process is started."""

    environment: Mapping[str, str]
    folder: Path
    """Working directory."""
    output: IO[bytes]
    """Destination of its stdout and stderr."""
    user: int | None
    """Number of the user and group as which it runs; None: as this process does."""

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
        """Run a process to its end with a text on its stdin; return its exit status."""
        process = self.popen(command, subprocess.PIPE)
        process.communicate(text.encode())
        return process.returncode


def start(command: Sequence[str], surroundings: Surroundings, pid_file: Path, fingerprint: str) -> None:
    """Start a process and write its pid file."""
    process = surroundings.popen(command)
    record(process.pid, pid_file, fingerprint)
    _CHILDREN.append(process)


def record(pid: int, pid_file: Path, fingerprint: str) -> None:
    """Write a pid file, unless the process has ended already."""
    ticks = _start_ticks(pid)
    if ticks is None:
        return
    program = os.path.realpath(f"/proc/{pid}/exe")
    recorded = Recorded(pid, _boot(), ticks, fingerprint, program, str(pid_file.parent.resolve()))
    partial = pid_file.with_name(f".{pid_file.name}.partial")
    partial.touch(0o600)  # a fingerprint includes passwords
    partial.write_text(json.dumps(asdict(recorded)) + "\n")
    partial.replace(pid_file)


def stop(recorded: Recorded, stop_signal: signal.Signals, grace_seconds: float) -> list[str]:
    """Stop a process and everything that it started.

    Returns:
        What had to be killed because it didn't end by itself, in words.
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
    """Kill a process, as a crash would, and wait until it has ended; what it started is left alone."""
    if recorded.runs():
        _signal(psutil.Process(recorded.pid), signal.SIGKILL, KILL_TAKES_SECONDS)


def ends(process: psutil.Process, within_seconds: float) -> bool:
    """Wait for the end of a process, even if its parent never collects it (as PID 1 of many containers); return whether
    it ended."""
    deadline = time.monotonic() + within_seconds
    while True:
        # Checked first, since waiting collects a child of ours that has ended.
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
    """Free System V memory that a killed process left behind and no other process uses."""
    if recorded.runs() or not recorded.is_this_boot():
        return
    for line in SHARED_MEMORY.read_text().splitlines()[1:]:
        _, identifier, _, _, creator, _, users, *_ = map(int, line.split())
        if creator == recorded.pid and users == 0:
            ctypes.CDLL(None).shmctl(identifier, IPC_RMID, None)


def _signal(process: psutil.Process, number: signal.Signals, within_seconds: float) -> bool:
    """Send a signal; return whether the process ended in time."""
    try:
        process.send_signal(number)
        process.resume()  # a suspended process reacts only to SIGKILL
    except psutil.NoSuchProcess:
        return True
    return ends(process, within_seconds)


def _boot() -> str:
    return BOOT_ID.read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """Return when a living process was started, in clock ticks since boot; unlike the time of day it never shifts."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in {"Z", "X"} else int(after_name[19])
