"""Assembles the jars that Flink runs with: the wheel's own, connectors and JVM extensions, linked into one folder."""

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pyflink
from py4j.java_gateway import JavaPackage, JVMView
from py4j.protocol import Py4JError
from pyflink import java_gateway

import toolchain.build
from connectors.process_environment import UTF_8, forget_ignored
from toolchain import jars
from toolchain.cache import cache_directory, exclusive, whole_folder
from toolchain.java import java_home
from toolchain.scratch import plain_path

WHEEL = Path(pyflink.__file__).parent
END_SECONDS = 30


class JvmRunsError(RuntimeError):
    """PyFlink's JVM was started before its jars were set."""


@dataclass(frozen=True)
class FlinkHome:
    """Folders that PyFlink and Flink's scripts take their jars from."""

    lib: Path
    opt: Path
    java_home: Path

    def environment(self, path: str | None = None) -> dict[str, str]:
        """Return the variables of a process that runs Flink.

        FLINK_HOME is among them because PyFlink overwrites the other folders if it has to look for it.

        Args:
            path: the PATH to put this interpreter's folder in front of; without it, this process's own. Thread mode
                embeds the first `python3` on it.
        """
        path = os.environ.get("PATH", os.defpath) if path is None else path
        return {
            "FLINK_HOME": str(WHEEL),
            "FLINK_LIB_DIR": str(self.lib),
            "FLINK_OPT_DIR": str(self.opt),
            "FLINK_PLUGINS_DIR": str(WHEEL / "plugins"),
            "JAVA_HOME": str(self.java_home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), path]),
        }

    def options(self) -> dict[str, str]:
        """Return Flink options by which jobs find this interpreter and its packages, in threads and in processes."""
        executable = _plain(sys.executable)
        return {
            "python.executable": executable,
            "python.client.executable": executable,
            "python.pythonpath": _plain(sysconfig.get_path("purelib")),
        }

    def use(self, temporary: Path) -> None:
        """Set up this process so that its JVM, when it starts, runs with these jars.

        Args:
            temporary: an existing folder for its temporary files, with a plain path.

        Raises:
            JvmRunsError: it has started.
        """
        if java_gateway._gateway is not None:
            raise JvmRunsError(
                "PyFlink's JVM is running already, without our jars: call use() before the first PyFlink object is made"
            )
        forget_ignored()
        look_up_names_once()
        own = {
            "JVM_ARGS": f"-Djava.io.tmpdir={temporary}",
            "FLINK_IDENT_STRING": "millrace",  # otherwise PyFlink asks for the user's name, and not every user has one
        }
        os.environ.update(UTF_8 | self.environment() | own)


def look_up_names_once() -> None:
    """Let py4j ask the JVM once for what a name such as `org.apache` is.

    PyFlink uses names thousands of times to define a job, and the JVM looks for a class of each in all jars.
    """
    kind: Any
    for kind in (JVMView, JavaPackage):
        if not hasattr(kind.__getattr__, "cache_info"):
            kind.__getattr__ = cache(kind.__getattr__)


def end_jvm() -> None:
    """Stop this process's JVM if it runs, with the jobs in it, and wait until it has ended."""
    gateway = java_gateway._gateway
    if gateway is None:
        return
    java_gateway._gateway = None
    try:
        process = psutil.Process(gateway.jvm.java.lang.ProcessHandle.current().pid())
    except (Py4JError, OSError, psutil.Error):  # it has ended by itself
        return
    gateway.shutdown()  # it ends when its last client has disconnected
    try:
        process.wait(END_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(END_SECONDS)


def _plain(path: str) -> str:
    """Return a path of this interpreter that PyFlink's runner can use; a virtual environment is known by its folder."""
    prefix = Path(sys.prefix)
    return str(plain_path(prefix) / Path(path).relative_to(prefix)) if Path(path).is_relative_to(prefix) else path


def assemble() -> FlinkHome:
    """Return the folders in the cache; create them unless they exist for exactly these jars.

    Raises:
        toolchain.build.CompileError: our Java sources don't compile.
    """
    java = java_home()
    gateway = [*_jars_in(WHEEL / "opt"), *jars.paths("flink-opt")]
    return FlinkHome(lib=_linked("lib", [*_flink(), extensions()]), opt=_linked("opt", gateway), java_home=java)


def extensions() -> Path:
    """The jar of `jvm/` in the cache, compiled now unless it was before.

    Raises:
        toolchain.build.CompileError: our Java sources don't compile.
    """
    (ecj,) = jars.paths("compiler")
    return toolchain.build.build(ecj, _flink(), java_home() / "bin" / "java", cache_directory())


def _flink() -> list[Path]:
    return [*_jars_in(WHEEL / "lib"), *(WHEEL / "opt").glob("flink-python-*.jar"), *jars.paths("flink")]


def _jars_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jar"))


def _linked(name: str, files: Iterable[Path]) -> Path:
    """Return a folder of links to the files, named by a hash of them."""
    targets = sorted(path.absolute() for path in files)
    key = hashlib.sha256("\n".join(map(str, targets)).encode()).hexdigest()[:16]
    folder = cache_directory() / "flink" / f"{name}-{key}"
    if folder.is_dir():
        return folder
    with exclusive(folder.parent, print):
        if not folder.is_dir():
            with whole_folder(folder) as partial:
                for target in targets:
                    (partial / target.name).symlink_to(target)
    return folder
