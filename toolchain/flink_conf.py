"""How is the cluster set? What stands in `flink-conf/`, for whoever starts a cluster or submits to one."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "flink-conf"
CONFIGURATION = FOLDER / "config.yaml"


def parse(text: str) -> dict[str, str]:
    """The keys of a configuration that has one flat key a line."""
    return dict(re.findall(r"^([a-z][\w.-]*): (.*)$", text, re.MULTILINE))


def java_options(text: str) -> list[str]:
    """What every JVM that runs Flink must be told."""
    return parse(text)["env.java.opts.all"].split()
