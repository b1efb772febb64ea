"""Declaration of a service of the stack; nothing here starts anything."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

GIB: Final = 1 << 30
UNPRIVILEGED: Final = 65534
"""User and group as which servers run when root starts the stack: `nobody`, where it has a name."""

DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
"""PATH of the services: the caller's own would be another one in each terminal."""


class UnhealthyError(Exception):
    """Why a service can't be used, in words that follow its name."""


@dataclass(frozen=True)
class Place:
    """Folders and files of a service."""

    state: Path
    """State folder of the whole stack."""
    service: str

    def next_to(self, service: str) -> "Place":
        """Return another service's place in the same stack."""
        return Place(self.state, service)

    @property
    def folder(self) -> Path:
        """Folder of everything below, and the service's working directory."""
        return self.state / self.service

    @property
    def data(self) -> Path:
        """Folder of what must outlive a restart."""
        return self.folder / "data"

    @property
    def conf(self) -> Path:
        """Folder of the configuration, which is rewritten at each start."""
        return self.folder / "conf"

    @property
    def temporary(self) -> Path:
        """Folder for temporary files, instead of the host's /tmp, which all stacks share."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """Log of the service, which rotates it itself; older files are in the same folder."""
        return self.folder / "log" / f"{self.service}.log"

    @property
    def output(self) -> Path:
        """Stdout and stderr of the last start, for output outside the log."""
        return self.log.with_suffix(".out")

    @property
    def pid_file(self) -> Path:
        """File that identifies the service's process."""
        return self.folder / "pid"


@dataclass(frozen=True)
class Step:
    """A command that must succeed before a service can be started."""

    command: tuple[str, ...]
    stdin: str = ""
    """Text for its stdin, which no other process can read: the place for a password."""


@dataclass(frozen=True)
class Launch:
    """How a service is started. Created only for a start: unlike the declaration, it needs the jars."""

    command: tuple[str, ...]
    files: Mapping[Path, str]
    """Texts of files by absolute path, written before anything runs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables in addition to the few that every service gets; nothing else of the caller's environment."""
    before: tuple[Step, ...] = ()
    """Steps before the start, such as one that formats a data folder."""


@dataclass(frozen=True)
class Service:
    """One process of the stack."""

    place: Place
    launch: Callable[[], Launch]
    health: Callable[[], None]
    """Raises `UnhealthyError` unless the service can be used; takes at most about five seconds."""
    address: str
    """Address of the service, for display."""
    memory_bytes: int
    """Memory that it takes while it works, as measured."""
    ports: tuple[str, ...] = ()
    """Names of its ports in `local.settings.stack_ports`."""
    after: tuple[str, ...] = ()
    """Names of the services that must be healthy before this one starts, and that stop after it."""
    unprivileged: bool = False
    """Whether it runs as `UNPRIVILEGED` when root starts it."""
    ready_within_seconds: float = 180
    """Time of a machine that does much else at the same time; if its process ends, that is noticed at once."""
    lock_files: tuple[Path, ...] = ()
    """Files that it leaves when it is killed, and mistakes for another server's at the next start."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_seconds: float = 15
    """Time after which it is killed if it hasn't stopped."""

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.place.service
