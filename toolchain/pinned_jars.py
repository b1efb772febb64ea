"""Reads jars.lock, and checks which jars are in the cache. Standard library only: used before anything is installed."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from toolchain.cache import cache_directory

LOCK_FILE = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True)
class Coordinate:
    """A file of a Maven repository: `group:artifact:version[:extension[:classifier]]`."""

    group: str
    artifact: str
    version: str
    extension: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a coordinate."""
        return cls(*text.split(":"))

    def __str__(self) -> str:
        parts = [self.group, self.artifact, self.version]
        if self.classifier:
            parts += [self.extension, self.classifier]
        elif self.extension != "jar":
            parts += [self.extension]
        return ":".join(parts)

    @property
    def path(self) -> str:
        """Path of the file below the repository's root, and below the cache's `jars`."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        folder = f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}"
        return f"{folder}/{self.artifact}-{self.version}{suffix}.{self.extension}"


@dataclass(frozen=True)
class Jar:
    """An entry of jars.lock."""

    group: str
    """Group of `toolchain.jars.ROOTS`; a file that two groups need has two entries."""
    coordinate: Coordinate
    sha256: str
    size: int

    @property
    def path(self) -> Path:
        """Path in the cache, whether it is fetched or not."""
        return jars_directory() / self.coordinate.path

    def is_here(self) -> bool:
        """Return whether it is in the cache with the right size; a file gets its name only when it is complete and
        checked."""
        return self.path.is_file() and self.path.stat().st_size == self.size


def jars_directory() -> Path:
    """Return the folder of the cache that has the layout of a Maven repository."""
    return cache_directory() / "jars"


@cache
def locked(lock_file: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """Return the entries of jars.lock."""
    entries = tomllib.loads(lock_file.read_text())["jar"]
    return tuple(Jar(e["group"], Coordinate.parse(e["coordinate"]), e["sha256"], e["size"]) for e in entries)


def missing(jars: tuple[Jar, ...] | None = None) -> list[Jar]:
    """Return jars that are not in the cache, or not with the right size; each file once."""
    by_coordinate = {jar.coordinate: jar for jar in (locked() if jars is None else jars)}
    return [jar for jar in by_coordinate.values() if not jar.is_here()]
