"""Mail of the local stack: `list` and `show` look into its mailbox; `serve` is its server."""

import asyncio
import logging
from logging.handlers import RotatingFileHandler
from urllib.parse import urlsplit

import click

from connectors.settings import SettingsError, state_directory
from local.settings import DEFAULT_PORTS, LocalSettings
from local.stack.mailbox.messages import KeptMessage, newest
from local.stack.mailbox.server import NotLocalError, serve
from local.stack.service import Place
from local.stack.services import mailbox
from ops.formats import table
from ops.masking import harmless

LOG_BYTES, OLDER_LOGS = 10_000_000, 2
HEADERS = ("From", "To", "Date", "Subject", "X-Notification-Id")


@click.group(help=__doc__)
def main() -> None:
    """Command line."""


@main.command("list", help="Show what came last, newest at the end.")
@click.option("-n", "--count", default=20, show_default=True, type=click.IntRange(min=1), help="How many.")
def list_messages(count: int) -> None:
    """Look."""
    found = newest(_place().data, count)
    if not found:
        print(f"no mail has arrived in {_place().data}")
        return
    messages = [(kept, kept.read()) for kept in found]
    rows = [
        (kept.name, f"{kept.arrived:%Y-%m-%d %H:%M:%S}", _shown(message["To"]), _shown(message["Subject"]))
        for kept, message in messages
    ]
    print(table(("name", "arrived (UTC)", "to", "subject"), rows))


@main.command(help="Show the text of a message: the last one, or the one that `list` shows by this name.")
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Read."""
    message = _chosen(name).read()
    for header in HEADERS:
        if message[header]:
            print(f"{header}: {_shown(message[header])}")
    body = message.get_body(("plain", "html"))
    print(f"\n{_shown(body.get_content()) if body else '(it has no text)'}")


@main.command("serve", help="Take messages at MILLRACE_SMTP_URL; the local stack runs this.")
def serve_until_stopped() -> None:
    """Serve."""
    place, settings = _place(), LocalSettings.from_environment()
    address = urlsplit(settings.smtp_url)
    place.log.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)-5s %(name)s %(message)s",
        handlers=[RotatingFileHandler(place.log, maxBytes=LOG_BYTES, backupCount=OLDER_LOGS)],
    )
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(place.data, address.hostname or "", address.port or DEFAULT_PORTS["smtp"]))
    except (NotLocalError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _place() -> Place:
    try:
        return Place(state_directory(), mailbox.NAME)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _chosen(name: str | None) -> KeptMessage:
    found = [kept for kept in newest(_place().data) if kept.name.startswith(name or "")]
    if not found:
        raise click.ClickException(f"there is no message {name}" if name else f"no mail has arrived in {_place().data}")
    if name and len(found) > 1:
        raise click.ClickException(f"{name} is the beginning of {len(found)} messages: give more of it")
    return found[-1]


def _shown(text: object) -> str:
    """Return the text without characters that a terminal would obey."""
    return "\n".join(harmless(line) for line in str(text).splitlines())


if __name__ == "__main__":
    main()
