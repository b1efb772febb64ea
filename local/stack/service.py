"""What is a service of the stack? A declaration; nothing here starts anything."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

GIB: Final = 1 << 30
UNPRIVILEGED: Final = 65534
"""User and group as which servers run when root starts the stack: `nobody` wherever it has a name."""

DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
"""Where services look for programs: the caller's own PATH would be another one in each terminal."""


class UnhealthyError(Exception):
    """Why a service can't be used, in words that follow its name."""


@dataclass(frozen=True)
class Place:
    """Where a service keeps what it has."""

    state: Path
    """The folder of the whole stack."""
    service: str

    def next_to(self, service: str) -> "Place":
        """Another service's place in the same stack."""
        return Place(self.state, service)

    @property
    def folder(self) -> Path:
        """Holds all that follows, and is the service's working directory."""
        return self.state / self.service

    @property
    def data(self) -> Path:
        """What must outlive a restart."""
        return self.folder / "data"

    @property
    def conf(self) -> Path:
        """Configuration, written anew at each start."""
        return self.folder / "conf"

    @property
    def temporary(self) -> Path:
        """Instead of the host's /tmp, which all stacks share."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """What the service logs; it rotates this file itself, older ones lie beside it."""
        return self.folder / "log" / f"{self.service}.log"

    @property
    def output(self) -> Path:
        """Stdout and stderr of the last start, for what comes before logging or around it."""
        return self.log.with_suffix(".out")

    @property
    def pid_file(self) -> Path:
        """Which process it is."""
        return self.folder / "pid"


@dataclass(frozen=True)
class Step:
    """A command that must end well before a service can be started."""

    command: tuple[str, ...]
    stdin: str = ""
    """What it reads, and nobody else: the place for a password."""


@dataclass(frozen=True)
class Launch:
    """How a service is started. Made only for a start: unlike the declaration, it needs the jars."""

    command: tuple[str, ...]
    files: Mapping[Path, str]
    """Written before anything runs, by absolute path."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside the few variables that every service gets; nothing else of the caller's environment."""
    before: tuple[Step, ...] = ()
    """Done first, such as one that formats a data folder."""


@dataclass(frozen=True)
class Service:
    """One process of the stack."""

    place: Place
    launch: Callable[[], Launch]
    health: Callable[[], None]
    """Raises `UnhealthyError` unless it can be used; knows within some five seconds."""
    address: str
    """Where it is, for people."""
    memory_bytes: int
    """What it takes when it works, as measured."""
    ports: tuple[str, ...] = ()
    """Names of those of `local.settings.stack_ports` where it listens."""
    after: tuple[str, ...] = ()
    """Names of the services that must be healthy before this one starts, and that stop after it."""
    unprivileged: bool = False
    """Whether it runs as `UNPRIVILEGED` when root starts it."""
    ready_within_seconds: float = 60
    lock_files: tuple[Path, ...] = ()
    """What it leaves when it is killed, and takes for another server's when it starts."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_seconds: float = 15
    """After so long it is killed."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.place.service
