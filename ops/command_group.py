"""Reports errors that the operator can fix as one message, without a traceback."""

from typing import Any

import click
from kafka.errors import KafkaError

from connectors.elasticsearch.client import ElasticsearchError
from connectors.kafka.registry import RegistryError
from connectors.settings import SettingsError
from ops.jobs.flink_rest import FlinkError
from sql import SqlFileError
from toolchain.cache import CacheError
from toolchain.jars import JarsError
from toolchain.java import JavaError

FAULTS = (
    CacheError,
    ConnectionError,
    ElasticsearchError,
    FlinkError,
    JarsError,
    JavaError,
    RegistryError,
    SettingsError,
    SqlFileError,
)


class CommandGroup(click.Group):
    """A command group whose commands may raise the errors of a wrong setting or an unavailable server."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with status 1 and `Error: …` for errors that can be fixed outside the program."""
        try:
            return super().invoke(ctx)
        except FAULTS as error:
            raise click.ClickException(str(error)) from error
        except KafkaError as error:
            raise click.ClickException(f"Kafka: {error}") from error
