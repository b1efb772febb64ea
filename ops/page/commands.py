"""Command `page`."""

import logging
from contextlib import suppress

import click

from connectors.settings import Settings
from jobs.flow import PROGRAMS
from ops.cli import Address, cannot_listen, in_url
from ops.health.checks import CHECKS
from ops.page.flow_layout import laid_out
from ops.page.server import News, listen, serve
from ops.page.watching import Watcher

RATE_WIDTH = 64.0
"""Width beside a topic's name for its records a second."""
BOX_WIDTH = 190.0
"""Width of a program's box at least: its second line has lag and freshness."""
DEFAULT_ADDRESS = "127.0.0.1:9465"


@click.command("page")
@click.option("--address", type=Address(DEFAULT_ADDRESS), default=DEFAULT_ADDRESS, show_default=True, help="Where.")
@click.option(
    "--every",
    type=click.FloatRange(min=1),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks at the topics; the checks come as often as a core's share allows.",
)
def page(address: tuple[str, int], every: float) -> None:
    """Show what runs, as one picture in the browser.

    It changes nothing, and answers at this machine only unless --address says otherwise: there is neither login nor
    TLS. Exit status 0 after Ctrl-C or SIGTERM.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    host, port = address
    settings = Settings.from_environment()
    try:
        listening = listen(host, port)
    except OSError as error:
        raise cannot_listen(error, host, port, "another page") from error
    with listening, suppress(KeyboardInterrupt):  # also of SIGTERM: ops/__main__.py
        layout = laid_out(
            PROGRAMS, RATE_WIDTH, BOX_WIDTH
        )  # takes two seconds of a core, which must not count as the checks'
        watcher = Watcher(settings, CHECKS, every)
        watcher.start()
        news = News(every, watcher.snapshot, layout)
        click.echo(f"look at http://{in_url(host)}:{listening.getsockname()[1]}/; Ctrl-C ends it")
        serve(news, host, listening)
