"""Compiles Java sources into a jar, once for each state of the sources."""

import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "jvm"

COMPILER_OPTIONS = (
    "-17",
    "-proc:none",
    "-parameters",
    "-g",
    "-encoding",
    "UTF-8",
    "-warn:-serial",
    "-failOnWarning",
)
"""Options of the compiler. `-parameters` keeps the names that SQL's named arguments refer to; there is no other linter
for Java here, so the compiler's warnings are errors."""


ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""Environment of the compiler, without the caller's; in another locale it can't open a file with an umlaut in its
path."""


class CompileError(Exception):
    """The Java compiler refused the sources; the text is the compiler's own."""


@dataclass(frozen=True)
class Compiler:
    """The Eclipse compiler with its inputs; needs no JDK."""

    ecj: Path
    """Path of the Eclipse compiler's jar."""
    classpath: Sequence[Path]
    java: Path
    """Path of the Java executable."""

    def compile(self, sources: Sequence[Path], classes: Path) -> None:
        """Write the class files into a folder.

        Raises:
            CompileError: with the compiler's text.
        """
        classpath = os.pathsep.join(map(str, self.classpath))
        command = [self.java, "-jar", self.ecj, *COMPILER_OPTIONS, "-cp", classpath, "-d", classes, *sources]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=ENVIRONMENT)
        if done.returncode != 0:
            raise CompileError((done.stdout + done.stderr).strip())


def build(ecj: Path, classpath: Sequence[Path], java: Path, target_directory: Path) -> Path:
    """Return the jar of everything under `jvm/src`; compile it unless this state of the sources was compiled before.

    Args:
        ecj: the Eclipse compiler's jar.
        classpath: Flink's jars.
        java: the executable.
        target_directory: the jar is `jvm/<hash of the sources and of the classpath's names>/millrace-jvm.jar` in it.

    Raises:
        CompileError: with the compiler's text.
    """
    return compile_jar(SOURCES, Compiler(ecj, classpath, java), target_directory, "millrace-jvm")


def compile_jar(folder: Path, compiler: Compiler, target_directory: Path, name: str) -> Path:
    """Return the jar of the `src` and `resources` of any folder, as `build` does.

    Raises:
        CompileError: with the compiler's text.
    """
    sources, resources = folder / "src", folder / "resources"
    jar = target_directory / "jvm" / _state_of(sources, resources, compiler) / f"{name}.jar"
    if jar.exists():
        return jar
    jar.parent.mkdir(parents=True, exist_ok=True)
    for entered in (jar.parent.parent, jar.parent):
        entered.chmod(0o755)  # whatever the umask: servers run as another user
    with tempfile.TemporaryDirectory(dir=jar.parent, prefix=".building-") as scratch:
        classes = Path(scratch, "classes")
        classes.mkdir()
        compiler.compile(_files(sources, "*.java"), classes)
        unfinished = Path(scratch, jar.name)
        _zip(unfinished, [classes, resources])
        unfinished.chmod(0o644)
        unfinished.replace(jar)
    return jar


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def _state_of(sources: Path, resources: Path, compiler: Compiler) -> str:
    """Return a hash of everything that the jar depends on."""
    digest = hashlib.sha256()
    for part in _parts(sources, resources, compiler):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:16]


def _parts(sources: Path, resources: Path, compiler: Compiler) -> Iterator[bytes]:
    for text in (*COMPILER_OPTIONS, compiler.ecj.name, *(jar.name for jar in compiler.classpath)):
        yield text.encode()
    for folder, pattern in ((sources, "*.java"), (resources, "*")):
        for path in _files(folder, pattern):
            yield path.relative_to(folder).as_posix().encode()
            yield path.read_bytes()


def _zip(jar: Path, folders: Sequence[Path]) -> None:
    """Write the jar; its entries have a fixed date, so that the same sources give the same bytes."""
    with zipfile.ZipFile(jar, "w") as archive:
        for folder in folders:
            for path in _files(folder):
                archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
