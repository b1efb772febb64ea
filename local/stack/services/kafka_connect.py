"""Kafka Connect: one worker that runs Debezium, with connectors that are declared over its REST API."""

from pathlib import Path

import toolchain.build
from connectors.settings import Settings, variable
from local.settings import Port
from local.stack.archives import unpacked
from local.stack.probes import get_json
from local.stack.service import GIB, Launch, Place, Service
from local.stack.services import kafka_broker, postgres
from local.stack.services.java_process import (
    QUICK_TO_START,
    arguments_file,
    classpath,
    java_arguments,
    java_command,
    property_value,
    quiet_log4j,
)
from local.stack.setup import Setup
from toolchain import jars
from toolchain.build import Compiler
from toolchain.cache import exclusive, make_folder, whole_folder

NAME = "connect"
SECRETS = ("shop_database_user", "shop_database_password")
"""Settings that a connector's configuration can refer to instead of containing them: `${env:MILLRACE_…}`."""

WORKER = """\
bootstrap.servers={broker}
listeners={listener}
rest.advertised.host.name={host}
rest.advertised.port={port}
plugin.path={plugins}
# Every plugin declares what it is in META-INF/services: nothing has to be searched for it.
plugin.discovery=service_load
# What a connector has written and how far it has read become visible together, or not at all.
exactly.once.source.support=enabled
# A connector may set options of its own producer, such as how long a transaction may last.
connector.client.config.override.policy=All
# The worker makes these topics itself. One node has no one to copy to, one connector needs no partitions.
group.id=connect
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
# A connector restarts at once when its worker is back: no other worker could take it over in the meantime.
scheduled.rebalance.max.delay.ms=0
# The shortest that the broker allows: for this time after a crash the next worker waits.
session.timeout.ms=6000
heartbeat.interval.ms=2000
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
# Secrets are in this process's environment, so that a connector's configuration, which anyone can read, has none.
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern={secrets}
"""


def declare(setup: Setup) -> Service:
    """Declare the worker, at `MILLRACE_CONNECT_URL`."""
    place = setup.place(NAME)
    url = setup.settings.connect_url.rstrip("/")
    return Service(
        place=place,
        launch=lambda: _launch(setup, place, setup.port(NAME)),
        health=lambda: check_health(url),
        address=url,
        memory_bytes=GIB // 2,
        ports=(NAME,),
        after=(kafka_broker.NAME, postgres.NAME),
        unprivileged=True,
    )


def check_health(url: str) -> None:
    """Check that the worker has joined its group and accepts connectors.

    Raises:
        UnhealthyError: it hasn't, or doesn't.
    """
    get_json(f"{url}/health")


def plugin_path(setup: Setup) -> Path:
    """Return a folder with one plugin: Debezium's jars, and ours that extends it; create it if necessary.

    Raises:
        CompileError: our Java sources don't compile.
    """
    (ecj,) = jars.paths("compiler")
    debezium = sorted(unpacked(setup, "debezium").rglob("*.jar"))
    compiler = Compiler(ecj, [*jars.paths("connect"), *debezium], setup.java_home / "bin" / "java")
    ours = toolchain.build.compile_jar(toolchain.build.SOURCES / "connect", compiler, setup.cache, "millrace-connect")
    plugins = ours.with_name("plugins")
    if not plugins.is_dir():
        with exclusive(ours.parent, print), whole_folder(plugins) as partial:
            plugin = make_folder(partial / "change-capture")
            for jar in (ours, *debezium):
                (plugin / jar.name).symlink_to(jar)
    return plugins


def worker_properties(broker: str, port: Port, plugins: Path) -> str:
    """Return the worker's configuration."""
    return WORKER.format(
        broker=broker,
        listener=f"http://{port.host}:{port.number}",
        host=port.host,
        port=port.number,
        plugins=property_value(plugins),
        secrets="|".join(map(variable, SECRETS)),
    )


def _launch(setup: Setup, place: Place, port: Port) -> Launch:
    properties = place.conf / "worker.properties"
    logging = place.conf / "log4j2.properties"
    options = ["-Xmx384m", *QUICK_TO_START, f"-Dlog4j2.configurationFile={logging}"]
    main = ["-cp", classpath(jars.paths("connect")), "org.apache.kafka.connect.cli.ConnectDistributed", str(properties)]
    return Launch(
        command=java_command(setup.java_home, place),
        files={
            properties: worker_properties(setup.settings.kafka_bootstrap_servers, port, plugin_path(setup)),
            logging: quiet_log4j(place),
            arguments_file(place): java_arguments(place, options, main),
        },
        environment=_secrets(setup.settings),
    )


def _secrets(settings: Settings) -> dict[str, str]:
    return {variable(name): getattr(settings, name) for name in SECRETS}
