"""`python -m ops`: the commands of each folder."""

import signal

import click

from ops.capture.commands import cdc
from ops.cli import CommandGroup
from ops.dead_letters.commands import dead_letters
from ops.jobs.commands import jobs
from ops.jobs.sql_commands import sql_pipelines
from ops.jobs.submit_command import submit_command
from ops.new.commands import new
from ops.rules.commands import policy, rulesets
from ops.search.commands import search
from ops.topics.commands import topics
from ops.topics.schema_commands import schemas
from ops.warehouse.commands import warehouse


@click.group(cls=CommandGroup)
def main() -> None:
    """Operate Millrace."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # otherwise temporary files, and a JVM, would be left


COMMANDS = (
    topics,
    schemas,
    rulesets,
    policy,
    submit_command,
    jobs,
    sql_pipelines,
    cdc,
    warehouse,
    dead_letters,
    search,
    new,
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m ops")
