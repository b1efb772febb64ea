"""Settings of the local stack only: its mail server, its inner ports and its size."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from connectors.settings import Settings, Variables, mail_server, setting, variable

CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "smtp": 25}
PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]"


def _port(default: str, meaning: str) -> str:
    return setting(default, meaning, pattern=PORT, form="a port, 1 to 65535")


@dataclass(frozen=True)
class LocalSettings(Variables):
    """Settings that only a laptop needs; the addresses where the stack listens are those in `Settings`."""

    smtp_url: str = mail_server()
    kafka_controller_port: str = _port("19093", "Port of Kafka's controller")
    registry_management_port: str = _port("18090", "Port of the schema registry's health page")
    flink_jobmanager_port: str = _port("16123", "Port where TaskManagers find the JobManager")
    flink_task_managers: str = setting(
        "3",
        "How many TaskManagers, of two slots and about 1.3 GiB each",
        pattern=r"[1-9]\d?",
        form="a whole number, 1 to 99",
    )
    jvm_compiler: str = setting(
        "quick",
        "How Kafka, Elasticsearch and the TaskManagers compile: `quick` starts with two thirds of the CPU time, `full` "
        "is faster after minutes of load",
        pattern="quick|full",
        form="quick or full",
    )


@dataclass(frozen=True)
class Port:
    """An address where the stack listens, and the variable that sets it."""

    service: str
    host: str
    number: int
    variable: str
    value: str
    """Value of the variable, which contains the port."""


def stack_ports(settings: Settings, local: LocalSettings) -> list[Port]:
    """Return every fixed port of the stack; TaskManagers and other services take free ones."""
    addresses = {
        "kafka_bootstrap_servers": ("kafka", f"kafka://{settings.kafka_bootstrap_servers.split(',')[0]}"),
        "kafka_controller_port": ("kafka controller", f"kafka://127.0.0.1:{local.kafka_controller_port}"),
        "schema_registry_url": ("registry", settings.schema_registry_url),
        "registry_management_port": ("registry health", f"http://127.0.0.1:{local.registry_management_port}"),
        "shop_database_url": ("postgres", settings.shop_database_url),
        "connect_url": ("connect", settings.connect_url),
        "elasticsearch_url": ("elasticsearch", settings.elasticsearch_url.split(",")[0]),
        "smtp_url": ("mailbox", local.smtp_url),
        "flink_rest_url": ("flink", settings.flink_rest_url),
        "flink_jobmanager_port": ("flink jobmanager", f"rpc://127.0.0.1:{local.flink_jobmanager_port}"),
    }
    values = settings.as_variables() | local.as_variables()
    ports = []
    for name, (service, url) in addresses.items():
        parts = urlsplit(url)
        number = parts.port or DEFAULT_PORTS[parts.scheme]
        ports.append(Port(service, parts.hostname or "", number, variable(name), values[variable(name)]))
    return ports
