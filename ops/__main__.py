"""`python -m ops`: the commands of each folder."""

import signal

import click

from ops.cli import CommandGroup, Places

COMMANDS = Places(
    {
        "cdc": "ops.capture.commands:cdc",
        "dead-letters": "ops.dead_letters.commands:dead_letters",
        "frontier": "ops.frontier.commands:frontier",
        "health": "ops.health.commands:health",
        "jobs": "ops.jobs.commands:jobs",
        "new": "ops.new.commands:new",
        "page": "ops.page.commands:page",
        "policy": "ops.rules.commands:policy",
        "rulesets": "ops.rules.commands:rulesets",
        "schemas": "ops.topics.schema_commands:schemas",
        "search": "ops.search.commands:search",
        "sql": "ops.jobs.sql_commands:sql_pipelines",
        "submit": "ops.jobs.submit_command:submit_command",
        "topics": "ops.topics.commands:topics",
        "warehouse": "ops.warehouse.commands:warehouse",
    }
)


@click.group(cls=CommandGroup, commands=COMMANDS)
def main() -> None:
    """Operate Millrace."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # otherwise temporary files, and a JVM, would be left


if __name__ == "__main__":
    main(prog_name="python -m ops")
