"""Programs that run parts of Kafka Connect without a worker; their sources are in `connect`."""

import os
from functools import cache
from pathlib import Path

from local.stack.services.kafka_connect import plugin_path
from local.stack.setup import Setup
from toolchain import jars
from toolchain.build import Compiler, compile_jar

SOURCES = Path(__file__).parent / "connect"


def connect_program(name: str, *arguments: str) -> list[str]:
    """Return the command that runs such a program."""
    return [*_java(), f"millrace.changes.{name}", *arguments]


@cache
def _java() -> tuple[str, ...]:
    setup = Setup.from_environment()
    java = setup.java_home / "bin" / "java"
    classpath = [*jars.paths("connect"), *sorted(plugin_path(setup).rglob("*.jar"))]
    (ecj,) = jars.paths("compiler")
    compiler = Compiler(ecj, classpath, java)
    # The classes lie beside the plugins, whose folder is named after the state of our sources.
    jar = compile_jar(SOURCES, compiler, plugin_path(setup).parent, "connect-programs")
    return str(java), "-Xmx256m", "-cp", os.pathsep.join(map(str, [jar, *classpath]))
