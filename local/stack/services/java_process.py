"""Runs Java programs as services, with all arguments in a file, so that `ps` stays readable."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from local.stack.service import Place
from local.stack.setup import Setup

QUICK_TO_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options for services with little load: half the work at the start, for less speed after minutes of load."""

LOG4J = """\
# Quiet: what goes wrong, in 3 files of 10 MB at most.
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %-5p %c %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
"""


def compiler_options(setup: Setup) -> tuple[str, ...]:
    """Return the options of a service with load, by `MILLRACE_JVM_COMPILER`."""
    return QUICK_TO_START if setup.local.jvm_compiler == "quick" else ("-XX:+UseG1GC",)


def java_command(java_home: Path, place: Place) -> tuple[str, ...]:
    """Return the command that runs Java with the `arguments_file` of the same place."""
    return (str(java_home / "bin" / "java"), f"@{arguments_file(place)}")


def arguments_file(place: Place) -> Path:
    """Return the path of the file for the text of `java_arguments`."""
    return place.conf / "java.args"


def java_arguments(place: Place, options: Iterable[str], main: Sequence[str]) -> str:
    """Return the launcher's arguments, one per line.

    Args:
        options: the JVM's, besides those that every service gets.
        main: the main class, or `-jar` and its file, and what follows.
    """
    every = (
        "-XX:-UsePerfData",  # otherwise it writes to the host's /tmp
        f"-Djava.io.tmpdir={place.temporary}",
        "-XX:+ExitOnOutOfMemoryError",  # a service that continues half-broken is worse than one that has stopped
        f"-XX:ErrorFile={place.log.parent}/jvm-crash.log",
        "-Dfile.encoding=UTF-8",
    )
    return "".join(f"{_quoted(argument)}\n" for argument in (*every, *options, *main))


def classpath(files: Iterable[Path]) -> str:
    """Return the files in the form of the launcher's option `-cp`."""
    return ":".join(map(str, files))


def quiet_log4j(place: Place) -> str:
    """Return a log4j2 configuration, for a file named by `-Dlog4j2.configurationFile`."""
    return LOG4J.format(log=property_value(place.log))


def property_value(value: object) -> str:
    """Return a value in the form of a `.properties` file, which Java reads as Latin-1."""
    escaped = str(value).replace("\\", "\\\\")
    return "".join(letter if letter.isascii() else _utf_16(letter) for letter in escaped)


def _utf_16(letter: str) -> str:
    units = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _quoted(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
