"""Is everything as it should be on this machine? A table; exit status 1 on a fault, with what to do about each."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click

from connectors.process_environment import ignored
from connectors.settings import SettingsError
from local.settings import CHECKOUT
from local.stack import preflight
from local.stack.preflight import Finding
from local.stack.services import declared as services
from local.stack.services import kafka_connect
from local.stack.setup import Setup
from ops.formats import table
from toolchain import jars
from toolchain.build import CompileError
from toolchain.cache import CacheError, free_bytes
from toolchain.flink_home import assemble
from toolchain.java import JavaError, java_home, java_version
from toolchain.pinned_jars import locked
from toolchain.scratch import temporary_folder
from tools.bootstrap import SUPPORTED as SUPPORTED_PYTHON
from tools.install import Environment


@dataclass(frozen=True)
class Part:
    """One part of the combination that Millrace is tested with."""

    name: str
    supported: tuple[str, ...]
    found: Callable[[], str]
    advice: str


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _kafka_connector() -> str:
    return next(jar.coordinate.version for jar in locked() if jar.coordinate.artifact == "flink-sql-connector-kafka")


def _java() -> str:
    return str(java_version(java_home()))


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
COMBINATION = (
    Part("Python", SUPPORTED_PYTHON, _python, "Run `make PYTHON=/path/to/python3.11 doctor`"),
    Part("Flink", ("2.3.0",), lambda: version("apache-flink"), "Pin it in requirements.in"),
    Part("Kafka connector", ("5.0.0-2.2",), _kafka_connector, "Declare it in toolchain/jars.py"),
    Part("Java", ("21",), _java, "Unset MILLRACE_JAVA_HOME, or let it be a Java 21"),
)


@click.command(help=__doc__)
@click.option("--deep", is_flag=True, help="Compare the checksum of every jar.")
def main(deep: bool) -> None:
    """Command line."""
    try:
        findings = list(examine(Setup.from_environment(), deep))
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    print(table(("what", "", "found"), [(f.subject, "FAULT" if f.is_fault else "ok", f.found) for f in findings]))
    faults = [finding for finding in findings if finding.is_fault]
    for fault in faults:
        print(f"\n{fault.subject}: {fault.found}\n    {fault.advice}")
    sys.exit(1 if faults else 0)


def examine(setup: Setup, deep: bool) -> Iterator[Finding]:
    """Yield every check, from what is installed to what the stack needs to start."""
    yield environment()
    yield variables(os.environ)
    yield from preflight.before_start(setup, services.declare(setup, int(setup.local.flink_task_managers)))
    yield temporary_files()
    yield from combination()
    yield extensions(setup)
    if deep:
        yield checksums()


def environment() -> Finding:
    """Check that this is the checkout's virtual environment, according to requirements.lock."""
    current = Environment(CHECKOUT, f"cp{sys.version_info.major}{sys.version_info.minor}")
    if current.is_current() and sys.prefix == str(current.folder):
        return Finding(".venv", f"as {current.lock.name} says")
    return Finding(".venv", f"{sys.prefix} is not what {current.lock} says", "Run `make doctor`, which installs it")


def variables(given: Mapping[str, str]) -> Finding:
    """Report which of the caller's variables our processes ignore, or follow only for other machines."""
    words = [f"{', '.join(names)} ignored" for names in [ignored(given)] if names]
    if proxies := sorted(name for name in given if name.upper() in PROXIES):
        words.append(f"{', '.join(proxies)} followed, but not to this machine")
    return Finding("variables", "; ".join(words) or "none set that is ignored")


def combination() -> Iterator[Finding]:
    """Check that Python, Flink, connector and Java are supported together."""
    for part in COMBINATION:
        subject, supported = f"{part.name} version", " or ".join(part.supported)
        try:
            found = part.found()
        except (JavaError, CacheError) as error:
            yield Finding(subject, "none", str(error))
            continue
        advice = "" if found in part.supported else f"{part.advice}; supported: {supported}"
        yield Finding(subject, found, advice)


def extensions(setup: Setup) -> Finding:
    """Check the jars of `jvm/`; build them unless they are of these sources."""
    try:
        home = assemble()
        plugins = kafka_connect.plugin_path(setup)
    except (CompileError, jars.JarsError, JavaError, CacheError) as error:
        return Finding("JVM extensions", "not built", str(error))
    return Finding("JVM extensions", f"built from these sources, in {home.lib} and {plugins}")


def temporary_files() -> Finding:
    """Check the folder for temporary files, which is not `TMPDIR` if that can't be used, and its free space."""
    try:
        folder = temporary_folder()
    except CacheError as error:
        return Finding("temporary files", "no room", str(error))
    given = os.environ.get("TMPDIR", "")
    instead = f", since TMPDIR={given} can't be used" if given and Path(given) != folder else ""
    return Finding("temporary files", f"{free_bytes(folder) / 1e9:.1f} GB free in {folder}{instead}")


def checksums() -> Finding:
    """Check that every jar is the one that was pinned."""
    faults = jars.faults(deep=True)
    if faults:
        return Finding("checksums", "; ".join(faults), "Then run `python -m toolchain.jars fetch`")
    return Finding("checksums", f"all {len(locked())} jars are as pinned")


if __name__ == "__main__":
    main()
