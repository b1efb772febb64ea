"""`python -m ops`: the commands of each folder."""

import signal

import click

from ops.capture import apply as change_capture
from ops.command_group import CommandGroup
from ops.dead_letters import commands as dead_letters
from ops.jobs.commands import jobs, sql_pipelines, submit_command
from ops.new import commands as new
from ops.rules.notification_policies import policy
from ops.rules.rulesets import rulesets
from ops.search import apply as search
from ops.search import find as search_find
from ops.search import rebuild as search_rebuild
from ops.topics.commands import schemas, topics
from ops.warehouse import checks as warehouse_checks
from ops.warehouse import database as warehouse

warehouse.group.add_command(warehouse_checks.command)
search.group.add_command(search_rebuild.command)
search.group.add_command(search_find.command)


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
    change_capture.group,
    warehouse.group,
    dead_letters.group,
    search.group,
    new.group,
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m ops")
