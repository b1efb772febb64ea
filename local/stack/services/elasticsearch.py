"""Elasticsearch: one node, for the search index."""

import json
from collections.abc import Mapping

from local.settings import Port
from local.stack.archives import unpacked
from local.stack.probes import get_json
from local.stack.service import GIB, Launch, Place, Service, Step, UnhealthyError
from local.stack.services.java_process import QUICK_TO_START, compiler_options, quiet_log4j
from local.stack.setup import Setup

NAME = "elasticsearch"

SETTINGS = """\
cluster.name: millrace
node.name: local
path.data: {data}
path.logs: {logs}
network.host: "{host}"
http.port: {port}
# No other node will come, so it doesn't look for one: whatever port is free does for talking to them.
transport.port: 0
discovery.type: single-node
xpack.security.enabled: false
# The files are read, not mapped: then it doesn't matter how many maps the system allows (vm.max_map_count).
node.store.allow_mmap: false
# A laptop's disk may be fuller than a data centre's: `up` asks for room enough.
cluster.routing.allocation.disk.threshold_enabled: false
# Indices and aliases are declared in files: a misspelt name is an error, not an index with guessed types.
action.auto_create_index: false
"""

OPTIONS = """\
-Xms512m
-Xmx512m
{compiler}
-XX:-UsePerfData
-Djava.io.tmpdir={temporary}
-XX:+ExitOnOutOfMemoryError
-XX:ErrorFile={logs}/jvm-crash.log
"""
"""Options of the JVM; the default ones name a module that our Java doesn't have, and write a second log."""


def declare(setup: Setup) -> Service:
    """Declare the node, at the first address of `MILLRACE_ELASTICSEARCH_URL`."""
    place = setup.place(NAME)
    url = setup.settings.elasticsearch_url.split(",")[0].rstrip("/")
    return Service(
        place=place,
        launch=lambda: _launch(setup, place, setup.port(NAME)),
        health=lambda: check_health(url),
        address=url,
        memory_bytes=GIB * 9 // 10,
        ports=(NAME,),
        unprivileged=True,
    )


def check_health(url: str) -> None:
    """Check that the node answers, and that all its indices can be written and read.

    Raises:
        UnhealthyError: it doesn't, or one can't.
    """
    health = get_json(f"{url}/_cluster/health")
    if health["status"] == "red":
        raise UnhealthyError(f"answers, but {health['unassigned_primary_shards']} of its shards can't be used")


def node_settings(place: Place, port: Port) -> str:
    """Return the node's configuration."""
    data, logs = json.dumps(str(place.data)), json.dumps(str(place.log.parent))  # quoted as YAML's strings are, too
    return SETTINGS.format(data=data, logs=logs, host=port.host, port=port.number)


def _launch(setup: Setup, place: Place, port: Port) -> Launch:
    (home,) = unpacked(setup, NAME).iterdir()
    # The node writes a file beside its configuration, so it gets a copy in a folder where it may write.
    own = place.temporary / "conf"
    return Launch(
        command=(str(home / "bin" / "elasticsearch"),),
        files={
            place.conf / "elasticsearch.yml": node_settings(place, port),
            place.conf / "jvm.options": OPTIONS.format(
                temporary=place.temporary, logs=place.log.parent, compiler="\n".join(compiler_options(setup))
            ),
            place.conf / "log4j2.properties": quiet_log4j(place),
        },
        environment=_environment(setup, place),
        before=(Step(("cp", "-R", str(place.conf), str(own))),),
    )


def _environment(setup: Setup, place: Place) -> Mapping[str, str]:
    return {
        "ES_PATH_CONF": str(place.temporary / "conf"),
        "ES_JAVA_HOME": str(setup.java_home),
        "ES_TMPDIR": str(place.temporary),
        # Options of the program that starts the node and then waits for its end. The script splits them at spaces,
        # which the path may contain; so the path is relative to the working directory.
        "CLI_JAVA_OPTS": " ".join(("-XX:-UsePerfData", f"-Djava.io.tmpdir={place.temporary.name}", *QUICK_TO_START)),
    }
