"""Commands `schemas`."""

from collections.abc import Sequence

import click

from connectors.kafka.topics import TOPICS
from connectors.settings import Settings
from events.schemas import schema, schema_text
from ops.cli import CommandGroup
from ops.formats import table
from ops.topics.schemas import (
    Registration,
    SchemasRefusedError,
    check,
    check_registry,
    reasons_text,
    register,
    release,
)

_STATES = {
    "new": "new: release it with `python -m ops schemas release`",
    "unchanged": "unchanged",
    "compatible": "changed, compatible: release it with `python -m ops schemas release`",
    "incompatible": "changed, INCOMPATIBLE",
}
_REGISTRY_STATES = _STATES | {
    "new": "not registered yet",
    "compatible": "changed, compatible: register it with `python -m ops schemas register`",
    "unguarded": "unchanged, but not guarded by our rule",
}


@click.group(cls=CommandGroup)
def schemas() -> None:
    """Check, release, register and show the events' schemas."""


@schemas.command("register")
def schemas_register() -> None:
    """Register every topic's schema in the registry.

    Sets the rule BACKWARD_TRANSITIVE. Exit status 1 if the registry refuses one.
    """
    try:
        registrations = register(Settings.from_environment(), TOPICS)
    except SchemasRefusedError as refusal:
        _print_registrations(refusal.registrations)
        raise click.ClickException(f"refused, since readers would break\n{refusal}") from refusal
    _print_registrations(registrations)


@schemas.command("check")
@click.option("--registry", is_flag=True, help="Compare with the registry's schemas, too.")
def schemas_check(registry: bool) -> None:
    """Compare each topic's schema with all released ones.

    Exit status 1 if records that were valid could no longer be read.
    """
    verdicts = check(TOPICS)
    click.echo(table(("subject", "since the last release"), [(each.subject, _STATES[each.state]) for each in verdicts]))
    if registry:
        asked = check_registry(Settings.from_environment(), TOPICS)
        rows = [(each.subject, _REGISTRY_STATES[each.state]) for each in asked]
        click.echo("\n" + table(("subject", "against the registry"), rows))
        verdicts = verdicts + asked
    if reasons := reasons_text(verdicts):
        raise click.ClickException(f"readers would break\n{reasons}")


@schemas.command("release")
def schemas_release() -> None:
    """Release the changed schemas to events/released."""
    try:
        written = release(TOPICS)
    except SchemasRefusedError as refusal:
        raise click.ClickException(f"nothing was released, since readers would break\n{refusal}") from refusal
    for file in written:
        click.echo(f"released {file.parent.name} version {file.stem}")
    if not written:
        click.echo("nothing to release: no schema changed")


@schemas.command("show")
@click.argument("subject", type=click.Choice([topic.subject for topic in TOPICS]))
def schemas_show(subject: str) -> None:
    """Print the current schema of SUBJECT."""
    [event] = [topic.event for topic in TOPICS if topic.subject == subject]
    click.echo(schema_text(schema(event)), nl=False)


def _print_registrations(registrations: Sequence[Registration]) -> None:
    rows = [(each.subject, "–" if each.version is None else each.version, each.outcome) for each in registrations]
    click.echo(table(("subject", "version", "outcome"), rows))
