"""What are the services of one stack declared from?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from connectors.settings import Settings
from local.settings import LocalSettings, Port, stack_ports, state_directory
from local.stack.service import Place
from toolchain import jars
from toolchain.flink_home import FlinkHome, assemble

MINIMUM_JAVA = 21
"""For the registry."""


@dataclass(frozen=True)
class Setup:
    """The settings and folders of one stack; what needs the jars is looked up when it is first asked for."""

    settings: Settings
    local: LocalSettings
    state: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Setup":
        """As `MILLRACE_*` say.

        Raises:
            SettingsError: a value is malformed, or there is no folder for the state.
        """
        local = LocalSettings.from_environment(environment)
        return cls(Settings.from_environment(environment), local, state_directory(local))

    def place(self, service: str) -> Place:
        """Where a service keeps what it has."""
        return Place(self.state, service)

    def port(self, name: str) -> Port:
        """Where a service listens, by the name that `stack_ports` has for it."""
        return next(port for port in stack_ports(self.settings, self.local) if port.service == name)

    @property
    def cache(self) -> Path:
        """Where the jars are."""
        return jars.cache_directory()

    @property
    def jobmanager_url(self) -> str:
        """Flink's REST API, without a slash at the end."""
        return self.settings.flink_rest_url.rstrip("/")

    @cached_property
    def java_home(self) -> Path:
        """The Java of all services."""
        return jars.java_home(MINIMUM_JAVA)

    @cached_property
    def flink(self) -> FlinkHome:
        """The folders that Flink's jars are in."""
        return assemble()
