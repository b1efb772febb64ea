"""The schema registry: Apicurio, in memory.

Registered schemas are lost when it stops: they must be registered again after each start.
"""

from local.stack.archives import unpacked
from local.stack.probes import get_json
from local.stack.service import GIB, Launch, Place, Service, UnhealthyError
from local.stack.services.java_process import QUICK_TO_START, arguments_file, java_arguments, java_command
from local.stack.setup import Setup

COMPATIBILITY = "BACKWARD_TRANSITIVE"
"""Compatibility rule: readers with the newest schema can read records of every earlier one. Apicurio's default allows
anything."""


def declare(setup: Setup) -> Service:
    """Declare the registry, at `MILLRACE_SCHEMA_REGISTRY_URL`."""
    place = setup.place("registry")
    url = setup.settings.schema_registry_url.rstrip("/")
    return Service(
        place=place,
        launch=lambda: _launch(setup, place),
        health=lambda: check_health(url),
        address=url,
        memory_bytes=GIB * 4 // 10,
        ports=("registry", "registry health"),
        unprivileged=True,
    )


def check_health(url: str) -> None:
    """Check that the registry answers, and refuses schemas that would break readers.

    Raises:
        UnhealthyError: it doesn't.
    """
    rule = get_json(f"{url}/config")["compatibilityLevel"]
    if rule != COMPATIBILITY:
        raise UnhealthyError(f"answers, but its compatibility rule is {rule} instead of {COMPATIBILITY}")


def properties(place: Place, host: str, port: int, management_port: int) -> dict[str, str]:
    """Return the registry's configuration."""
    return {
        "quarkus.http.host": host,
        "quarkus.http.port": str(port),
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": str(management_port),
        "apicurio.rules.global.compatibility": COMPATIBILITY,
        "quarkus.banner.enabled": "false",
        "quarkus.http.access-log.enabled": "false",
        "quarkus.log.level": "WARN",
        'quarkus.log.category."io.apicurio".level': "WARN",
        'quarkus.log.category."io.quarkus.config".level': "ERROR",  # otherwise it warns of what Apicurio itself sets
        "quarkus.log.console.enabled": "false",
        "quarkus.log.file.enabled": "true",
        "quarkus.log.file.json.enabled": "false",
        "quarkus.log.file.path": str(place.log),
        "quarkus.log.file.rotation.max-file-size": "10M",
        "quarkus.log.file.rotation.max-backup-index": "2",
    }


def _launch(setup: Setup, place: Place) -> Launch:
    address = setup.port("registry")
    config = properties(place, address.host, address.number, int(setup.local.registry_management_port))
    options = ["-Xmx384m", *QUICK_TO_START, *(f"-D{name}={value}" for name, value in config.items())]
    main = ["-jar", str(unpacked(setup, "registry") / "quarkus-run.jar")]
    return Launch(
        command=java_command(setup.java_home, place),
        files={arguments_file(place): java_arguments(place, options, main)},
    )
