"""Environments of child processes: the caller's, without the variables that would change what they do.

Services of the local stack get even fewer variables: see `local.stack.service.Launch`. Standard library only: the
installation uses it too.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

Patterns = tuple[str, ...]

PYTHON = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONPLATLIBDIR"),
    *("PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONWARNINGS"),
)
"""Variables that make Python use other packages than those of `.venv`, or none of this folder; open a prompt where a
process should end, switch off assertions, or turn warnings into errors."""
JAVA = ("CLASSPATH", "JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JVM_ARGS")
"""Variables that select another Java, or add options to every JVM: agents, proxies, memory limits."""
PROGRAMS = ("FLINK_*", "PYFLINK_*", "HADOOP_*", "HBASE_*", "YARN_CONF_DIR", "KAFKA_*", "LOG4J_*", "LOGBACK_*")
"""Variables of Flink's and Kafka's scripts and of PyFlink, which may refer to another installation."""
POSTGRES = ("PG*",)
"""Variables for PostgreSQL's address, login and connection options, all of which are settings of ours."""
KEPT = ("PGSSL*",)
"""Exceptions: no setting names the certificates that a remote server requires."""
IGNORED = (*PYTHON, *JAVA, *PROGRAMS, *POSTGRES)

UTF_8 = {"LC_ALL": "C.UTF-8"}
"""Locale for a JVM, which can't open a file with an umlaut in its path under another one."""


def ignored(environment: Mapping[str, str], patterns: Patterns = IGNORED) -> list[str]:
    """Return the variables of an environment that our processes ignore."""
    return sorted(name for name in environment if _matches(name, patterns) and not _matches(name, KEPT))


def child_environment(own: Mapping[str, str] | None = None, patterns: Patterns = IGNORED) -> dict[str, str]:
    """Build the environment of a child process.

    Args:
        own: variables for this process, over the caller's.
        patterns: variables that it doesn't inherit.
    """
    without = ignored(os.environ, patterns)
    return {name: value for name, value in os.environ.items() if name not in without} | dict(own or {})


def forget_ignored(patterns: Patterns = IGNORED) -> None:
    """Remove ignored variables from this process, before a library reads them or starts a process with them."""
    for name in ignored(os.environ, patterns):
        os.environ.pop(name, None)


def _matches(name: str, patterns: Patterns) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
