"""`python -m ops`: one command group a module."""

import click

from ops.rulesets import rulesets
from ops.schemas import schemas
from ops.topics import topics


@click.group()
def main() -> None:
    """Operate Millrace."""


for group in (topics, schemas, rulesets):
    main.add_command(group)

if __name__ == "__main__":
    main(prog_name="python -m ops")
