"""Installs what is missing: `.venv` according to requirements.lock, then jars and JVM extensions.

Standard library only: this runs before anything is installed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.process_environment import PYTHON, child_environment
from connectors.settings import PATH_ENDS, SettingsError, state_directory
from local.settings import CHECKOUT
from toolchain.cache import CacheError, cache_directory, exclusive, require_free, whole_folder
from toolchain.pinned_jars import missing

WHEELS_BYTES = 1_200_000_000
ENVIRONMENT_BYTES = 1_300_000_000
"""Disk space that wheels and environment each take, with a margin."""


PATH_ORDER = (
    "import os, sys; sys.path.sort("
    "key=[*map(os.path.abspath, os.environ.get('PYTHONPATH', '').split(os.pathsep))].__contains__)\n"
)
"""Code that Python runs before anything else. Packages in `PYTHONPATH`, such as another Spark's py4j, would otherwise
take precedence over those of `.venv`; PyFlink and we use the variable for folders whose names are in no package."""


class InstallError(RuntimeError):
    """The installation can't continue; the text says why, and what to do."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a checkout, and the stamp that records what it was made from."""

    checkout: Path
    python_tag: str

    @property
    def folder(self) -> Path:
        """Folder of the environment."""
        return self.checkout / ".venv"

    @property
    def python(self) -> Path:
        """Path of its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        """Path of the file that pins its packages."""
        return self.checkout / "requirements.lock"

    @property
    def wheelhouse(self) -> Path:
        """Folder of its wheels, for this and every other clone with the same lock."""
        return cache_directory() / "wheels" / f"{self.python_tag}-{self._lock_hash()[:12]}"

    def is_current(self) -> bool:
        """Return whether it is complete, made from this lock, by this Python version, in this folder, and can run."""
        stamp = self.folder / "millrace.stamp"
        return stamp.is_file() and stamp.read_text() == self._stamp() and os.access(self.python, os.X_OK)

    def mark_current(self) -> None:
        """Write the stamp, once the environment is complete."""
        (self.folder / "millrace.stamp").write_text(self._stamp())

    def order_path(self) -> None:
        """Make its Python search `PYTHONPATH` last, from its start on, unless it does so already."""
        if self._path_file.parent.is_dir() and not self._path_file.exists():
            self._path_file.write_text(PATH_ORDER)

    @property
    def _path_file(self) -> Path:
        version = self.python_tag.removeprefix("cp")
        return self.folder / "lib" / f"python{version[0]}.{version[1:]}" / "site-packages" / "_millrace.pth"

    def _stamp(self) -> str:
        return f"{self._lock_hash()}\n{self.python_tag}\n{self.folder}\n"

    def _lock_hash(self) -> str:
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()


def main() -> int:
    """Install what is missing; print nothing if nothing is."""
    try:
        install(Environment(CHECKOUT, f"cp{sys.version_info.major}{sys.version_info.minor}"))
    except (InstallError, CacheError, SettingsError) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("millrace: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def install(environment: Environment) -> None:
    """Make the virtual environment, and fetch and build what Java needs, each only if it is missing.

    Raises:
        InstallError: something can't be installed.
        CacheError: a folder can't be written, or its disk is full.
    """
    if re.search(f"[{PATH_ENDS}]", str(environment.checkout)):
        raise InstallError(
            f"no colon, comma or semicolon can be in the path of this checkout: move {environment.checkout}"
        )
    if environment.is_current() and not missing():
        environment.order_path()
        return
    with exclusive(state_directory(), print):
        started = time.monotonic()
        if not environment.is_current():
            _make(environment)
        _run(
            [str(environment.python), "-m", "tools.prepare"],
            child_environment(),
            "The jars could not be made ready (see above)",
        )
        print(f"millrace: installed in {time.monotonic() - started:.0f} s", flush=True)


def _make(environment: Environment) -> None:
    print(f"millrace: making {environment.folder} with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    require_free(environment.checkout, ENVIRONMENT_BYTES)
    shutil.rmtree(environment.folder, ignore_errors=True)
    venv = [sys.executable, "-m", "venv", str(environment.folder)]
    _run(venv, child_environment(patterns=PYTHON), f"{sys.executable} could not make a virtual environment")
    if not environment.wheelhouse.is_dir():
        _build_wheelhouse(environment)
    print(f"millrace: installing from {environment.wheelhouse} (up to a minute)", flush=True)
    wheels = sorted(map(str, environment.wheelhouse.glob("*.whl")))
    pip = [str(environment.python), "-m", "pip", "--isolated", "install", "--quiet", "--no-index", "--no-deps"]
    _run(
        [*pip, *wheels],
        without_pip_configuration(),
        f"Remove {environment.wheelhouse} and run the same command again",
    )
    environment.order_path()
    environment.mark_current()


def _build_wheelhouse(environment: Environment) -> None:
    """Download, or build from source, everything that requirements.lock pins.

    Older pips build from source in this environment, which lacks the `wheel` package, unless `--use-pep517` is set.
    """
    wheelhouse = environment.wheelhouse
    with exclusive(wheelhouse.parent, print):
        if wheelhouse.is_dir():
            return
        require_free(wheelhouse.parent, WHEELS_BYTES)
        print(f"millrace: fetching wheels into {wheelhouse} (520 MB; Flink alone is 330 MB)", flush=True)
        # pip first keeps downloads among temporary files, which may have less room. If this is killed, they are deleted
        # with the incomplete folder.
        with whole_folder(wheelhouse) as partial, TemporaryDirectory(dir=partial) as temporary:
            pip = [str(environment.python), "-m", "pip", "wheel", "--no-deps", "--require-hashes", "--use-pep517"]
            pip += [] if sys.stdout.isatty() else ["--progress-bar", "off"]
            _run(
                [*pip, "--wheel-dir", str(partial), "--requirement", str(environment.lock)],
                child_environment({"TMPDIR": temporary}, PYTHON),
                "The Python packages could not be had (pip says why above). They come from the index that pip is "
                "configured with. With a network, run the same command again; without one, set MILLRACE_CACHE to a "
                "cache that was filled elsewhere",
            )


def without_pip_configuration() -> dict[str, str]:
    """Return an environment in which pip ignores the user's configuration."""
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return child_environment(own, (*PYTHON, "PIP_*"))


def _run(command: Sequence[str], variables: Mapping[str, str], advice: str) -> None:
    done = subprocess.run(command, env=variables, cwd=CHECKOUT, check=False)
    if done.returncode != 0:
        raise InstallError(advice)


if __name__ == "__main__":
    sys.exit(main())
