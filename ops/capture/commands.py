"""Commands `cdc`."""

import click

from connectors.postgres.captured_tables import CONNECTOR
from connectors.settings import Settings
from ops.capture.apply import apply, plan
from ops.capture.status import status
from ops.cli import CommandGroup, ask_before_changing


@click.group("cdc", cls=CommandGroup)
def cdc() -> None:
    """Set up change data capture, and report its state."""


@cdc.command("apply")
@click.option("--yes", is_flag=True, help="Carry out the plan without asking.")
@click.option("--again", is_flag=True, help="Read all rows again, also those that were read before.")
def cdc_apply(yes: bool, again: bool) -> None:
    """Set up database and connector, and read the existing rows.

    Shows a plan and asks before it changes anything.
    """
    settings = Settings.from_environment()
    steps = plan(settings, again=again)
    click.echo("\n".join(steps) if steps else f"the connector {CONNECTOR} is as it should be: nothing to do")
    if not steps:
        return
    ask_before_changing(yes)
    apply(settings, click.echo, again=again)
    click.echo("done: changes are captured")


@cdc.command("status")
def cdc_status() -> None:
    """Report the state of change data capture.

    Exit status 1 if something is wrong.
    """
    found = status(Settings.from_environment())
    width = max((len(what) for what, _ in found.lines), default=0)
    for what, how in found.lines:
        click.echo(f"{what:<{width}}  {how}")
    for note in found.notes:
        click.echo(f"note: {note}")
    if found.faults:
        raise click.ClickException("\n".join(found.faults))
    click.echo("changes are captured")
