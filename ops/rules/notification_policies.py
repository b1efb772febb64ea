"""Checks notification policies, and describes what they do, before a job is submitted with one."""

from pathlib import Path

import click

from connectors.settings import Settings
from ops.command_group import CommandGroup
from ops.formats import table
from udfs.notifications import notification_policy
from udfs.notifications.notification_policy import KINDS, Policy, PolicyError


@click.group(cls=CommandGroup)
def policy() -> None:
    """Look at the policy by which notifications are sent."""


@policy.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_command(file: Path) -> None:
    """Look for mistakes in FILE (TOML), and say what it does."""
    try:
        checked = notification_policy.parse(file.read_text(encoding="utf-8"))
        notification_policy.check_covers(checked, int(Settings.from_environment().missing_data_hours))
    except PolicyError as error:
        raise click.ClickException("\n".join(f"{file}: {mistake}" for mistake in error.mistakes)) from error
    click.echo(f"{file}: version {checked.version}, no mistake found\n")
    click.echo(in_words(checked))


def in_words(checked: Policy) -> str:
    """Describe what the policy does, for its owner."""
    rows = [
        (
            kind,
            "yes" if rule.sent else "no",
            rule.template if rule.sent else "",
            "" if not rule.sent else "at once, always" if rule.critical else "in turn",
        )
        for kind in KINDS
        for rule in (checked.occasion[kind],)
    ]
    quiet = checked.quiet_hours
    return "\n".join(
        [
            table(("occasion", "sent", "template", "when"), rows),
            "",
            f"in turn: at most {checked.messages_per_hour} messages an hour and recipient, the rest as one digest; "
            + (f"nothing from {quiet.begin} to {quiet.end} where the recipient is" if quiet else "at any hour"),
            f"an occasion waits {checked.wait_for_customer_hours} hours for a customer who isn't known, then it is a "
            "dead letter",
        ]
    )
