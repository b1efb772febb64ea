"""Settings of a contender, from environment variables: where it reads payments and emits its alerts."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

PREFIX = "MILLRACE_BENCH_"


@dataclass(frozen=True)
class Run:
    """Settings of one run of one contender."""

    bootstrap_servers: str
    payments: str
    """Topic that is read from its beginning on."""
    alerts: str
    """Topic that is written."""
    group: str
    """Consumer group, which is new."""
    folder: Path
    """Folder for the files of the contender."""
    checkpoint_seconds: float
    """Interval between two checkpoints, or whatever the contender recovers from."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from the variables that `as_environment` returns."""
        return cls(**{f.name: f.type(os.environ[PREFIX + f.name.upper()]) for f in fields(cls)})

    def as_environment(self) -> dict[str, str]:
        """Return the environment variables that `from_environment` reads."""
        return {PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}
