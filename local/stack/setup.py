"""Settings, folders and programs from which the services of one stack are declared."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from connectors.settings import Settings, state_directory
from local.settings import LocalSettings, Port, stack_ports
from local.stack.service import Place
from toolchain import jars
from toolchain.flink_home import FlinkHome, assemble

MINIMUM_JAVA = 21
"""Java version that the registry requires."""


@dataclass(frozen=True)
class Setup:
    """Settings and folders of one stack; what needs the jars is looked up on first use."""

    settings: Settings
    local: LocalSettings
    state: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Setup":
        """Read the setup from `MILLRACE_*`.

        Raises:
            SettingsError: a value is malformed, or there is no folder for the state.
        """
        local = LocalSettings.from_environment(environment)
        return cls(Settings.from_environment(environment), local, state_directory(environment))

    def place(self, service: str) -> Place:
        """Return the folders and files of a service."""
        return Place(self.state, service)

    def port(self, name: str) -> Port:
        """Return the port of a service, by its name in `stack_ports`."""
        return next(port for port in stack_ports(self.settings, self.local) if port.service == name)

    @property
    def cache(self) -> Path:
        """Folder of the jars."""
        return jars.cache_directory()

    @property
    def jobmanager_url(self) -> str:
        """Flink's REST API, without a slash at the end."""
        return self.settings.flink_rest_url.rstrip("/")

    @cached_property
    def java_home(self) -> Path:
        """Home of the Java that runs all services."""
        return jars.java_home(MINIMUM_JAVA)

    @cached_property
    def flink(self) -> FlinkHome:
        """Folders with Flink's jars."""
        return assemble()
