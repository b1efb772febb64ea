"""Reads the cluster's configuration in `flink-conf/`, for starting a cluster and submitting to one."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "flink-conf"
CONFIGURATION = FOLDER / "config.yaml"


def parse(text: str) -> dict[str, str]:
    """Parse a configuration that has one flat key per line."""
    return dict(re.findall(r"^([a-z][\w.-]*): (.*)$", text, re.MULTILINE))


def java_options(text: str) -> list[str]:
    """Return the options that every JVM with Flink requires."""
    return parse(text)["env.java.opts.all"].split()
