"""Settings of a contender, from environment variables: where it reads payments and emits its alerts."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

PREFIX = "MILLRACE_BENCH_"


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    bootstrap_servers: str
    payments: str
    """Topic that is read from its beginning on."""
    alerts: str
    """Topic that is written."""
    group: str
    """Consumer group, new."""
    folder: Path
    """For whatever the contender keeps."""
    checkpoint_seconds: float
    """So often it makes sure that it could go on after a crash."""

    @classmethod
    def from_environment(cls) -> Self:
        """As the process that measures has said."""
        return cls(**{f.name: f.type(os.environ[PREFIX + f.name.upper()]) for f in fields(cls)})

    def as_environment(self) -> dict[str, str]:
        """What `from_environment` reads."""
        return {PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}
