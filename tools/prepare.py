"""Prepares everything for Java: fetches the jars, shares the Java runtime, builds the JVM extensions."""

import sys
import time

from connectors.settings import SettingsError
from toolchain import flink_home, jars
from toolchain.build import CompileError
from toolchain.cache import CacheError
from toolchain.java import JavaError


def main() -> int:
    """Do the steps that aren't done yet."""
    started = time.monotonic()
    try:
        jars.fetch()
        home = flink_home.assemble()
    except (jars.JarsError, CacheError, JavaError, CompileError, SettingsError) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"millrace: jars are ready, Java is {home.java_home} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
