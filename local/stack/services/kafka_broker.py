"""Kafka: one node that is broker and controller (KRaft)."""

import base64
import uuid

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from connectors.kafka.client import client_options
from local.stack.probes import connect
from local.stack.service import GIB, Launch, Place, Service, Step, UnhealthyError
from local.stack.services.java_process import (
    QUICK_TO_START,
    arguments_file,
    classpath,
    compiler_options,
    java_arguments,
    java_command,
    property_value,
    quiet_log4j,
)
from local.stack.setup import Setup
from toolchain import jars

NAME = "kafka"
ANSWERS_WITHIN_MS = 3000


def declare(setup: Setup) -> Service:
    """Declare the broker, at the first address of `MILLRACE_KAFKA_BOOTSTRAP_SERVERS`."""
    place = setup.place(NAME)
    port = setup.port(NAME)
    broker = f"{port.host}:{port.number}"
    return Service(
        place=place,
        launch=lambda: _launch(setup, place, broker),
        health=lambda: check_health(broker),
        address=broker,
        memory_bytes=GIB // 2,
        ports=(NAME, "kafka controller"),
        unprivileged=True,
        stop_within_seconds=20,
    )


def check_health(broker: str) -> None:
    """Check that the broker answers, and that its controller lets it serve.

    Raises:
        UnhealthyError: it doesn't, or isn't allowed to.
    """
    connect(broker)
    try:
        admin = KafkaAdminClient(
            **client_options(broker), bootstrap_timeout_ms=ANSWERS_WITHIN_MS, request_timeout_ms=ANSWERS_WITHIN_MS
        )
        try:
            brokers = admin.describe_cluster()["brokers"]
        finally:
            admin.close()
    except KafkaError as error:
        raise UnhealthyError(f"accepts connections on {broker}, but doesn't answer: {error}") from None
    if all(known["is_fenced"] for known in brokers):
        raise UnhealthyError(f"answers on {broker}, but its controller doesn't let it serve yet")


def server_properties(place: Place, broker: str, controller: str) -> str:
    """Return the node's configuration."""
    return f"""\
process.roles=broker,controller
node.id=1
listeners=BROKER://{broker},CONTROLLER://{controller}
advertised.listeners=BROKER://{broker},CONTROLLER://{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={controller}
log.dirs={property_value(place.data)}
# One node has no one to copy to.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The default is 50 each, which is a data centre's: on one node that is 150 folders to open at each start.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
# A consumer starts at once instead of waiting for others to join its group.
group.initial.rebalance.delay.ms=0
# Topics are declared in connectors/kafka/topics.py: a misspelt name is an error, not a new topic.
auto.create.topics.enable=false
"""


def _launch(setup: Setup, place: Place, broker: str) -> Launch:
    properties = place.conf / "server.properties"
    logging = place.conf / "log4j2.properties"
    libraries = classpath(jars.paths("kafka"))
    options = ["-Xmx512m", *compiler_options(setup), f"-Dlog4j2.configurationFile={logging}", "-cp", libraries]
    return Launch(
        command=java_command(setup.java_home, place),
        files={
            properties: server_properties(place, broker, f"127.0.0.1:{setup.local.kafka_controller_port}"),
            logging: quiet_log4j(place),
            arguments_file(place): java_arguments(place, options, ["kafka.Kafka", str(properties)]),
        },
        before=() if (place.data / "meta.properties").exists() else (_format(setup, place, libraries),),
    )


def _format(setup: Setup, place: Place, libraries: str) -> Step:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    java = (str(setup.java_home / "bin" / "java"), "-XX:-UsePerfData", *QUICK_TO_START)
    tool = (*java, "-cp", libraries, "kafka.tools.StorageTool")
    # The first character of an id must not be a hyphen, or it is parsed as an option.
    options = ("--standalone", f"--cluster-id={cluster_id}", "--config", f"{place.conf}/server.properties")
    return Step((*tool, "format", *options))
