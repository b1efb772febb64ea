"""Environments of the processes that we start: the caller's, without the variables that would change what they do.

Services of the local stack get even less: see `local.stack.service.Launch`. Standard library only: the installation
uses it too.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

Patterns = tuple[str, ...]

PYTHON = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONPLATLIBDIR"),
    *("PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONWARNINGS"),
)
"""Other packages than those of `.venv`, or none of this folder's; a prompt where a process should end, no assertions,
and warnings that are errors.
"""
JAVA = ("CLASSPATH", "JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JVM_ARGS")
"""Another Java, and options for every JVM: agents, proxies, memory limits."""
PROGRAMS = ("FLINK_*", "PYFLINK_*", "HADOOP_*", "HBASE_*", "YARN_CONF_DIR", "KAFKA_*", "LOG4J_*", "LOGBACK_*")
"""What scripts of Flink and Kafka, and PyFlink, read: of another installation than ours."""
POSTGRES = ("PG*",)
"""Where PostgreSQL is, as whom to log in and how to talk, all of which the settings say."""
KEPT = ("PGSSL*",)
"""The settings don't say which certificates a server away from this machine wants."""
IGNORED = (*PYTHON, *JAVA, *PROGRAMS, *POSTGRES)

UTF_8 = {"LC_ALL": "C.UTF-8"}
"""For a JVM, which can't open a file with an umlaut in its path under another locale."""


def ignored(environment: Mapping[str, str], patterns: Patterns = IGNORED) -> list[str]:
    """The variables of an environment that our processes ignore."""
    return sorted(name for name in environment if _matches(name, patterns) and not _matches(name, KEPT))


def child_environment(own: Mapping[str, str] | None = None, patterns: Patterns = IGNORED) -> dict[str, str]:
    """An environment for a process of ours.

    Args:
        own: variables for this process, over the caller's.
        patterns: of what it doesn't inherit.
    """
    without = ignored(os.environ, patterns)
    return {name: value for name, value in os.environ.items() if name not in without} | dict(own or {})


def forget_ignored(patterns: Patterns = IGNORED) -> None:
    """Remove from this process what it ignores, before a library reads it, or starts a process with it."""
    for name in ignored(os.environ, patterns):
        os.environ.pop(name, None)


def _matches(name: str, patterns: Patterns) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
