"""Runs every checker of the code and shows the findings of each; `--fix` fixes what can be fixed."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from connectors.process_environment import child_environment
from local.settings import CHECKOUT

FOLDERS = ("events", "udfs", "sql", "connectors", "toolchain", "jobs", "ops", "notifier", "local", "tools", "tests")
PARALLEL_CHECKS = 2


@dataclass(frozen=True)
class Check:
    """A checker and its command."""

    name: str
    command: tuple[str, ...]
    """Program of this Python's `bin` folder, and its arguments."""


@dataclass(frozen=True)
class Outcome:
    """Result of a checker."""

    check: Check
    is_good: bool
    output: str
    seconds: float


CHECKS = (
    Check("types", ("mypy",)),
    Check("format", ("ruff", "format", "--check", ".")),
    Check("lint", ("ruff", "check", ".")),
    Check("imports", ("lint-imports", "--no-logo")),
    Check("duplicates", ("python", "-m", "tools.duplicates", *FOLDERS)),
    Check("dead code", ("vulture",)),
    Check("decisions", ("python", "-m", "tools.todos")),
    Check("schemas", ("python", "-m", "ops", "schemas", "check")),
)
FIXES = (
    Check("lint", ("ruff", "check", "--fix", ".")),
    Check("format", ("ruff", "format", ".")),
)


@click.command(help=__doc__)
@click.option("--fix", is_flag=True, help="Fix instead of checking.")
def main(fix: bool) -> None:
    """Command line."""
    checks, parallel = (FIXES, 1) if fix else (CHECKS, PARALLEL_CHECKS)
    with ThreadPoolExecutor(parallel) as pool:
        outcomes = []
        for outcome in pool.map(run, checks):
            outcomes.append(outcome)
            print(
                f"{'ok' if outcome.is_good else 'FAILED':<7} {outcome.check.name:<11}{outcome.seconds:5.1f} s",
                flush=True,
            )
    failed = [outcome for outcome in outcomes if not outcome.is_good]
    for outcome in failed:
        print(f"\n{outcome.check.name}: {' '.join(outcome.check.command)}\n{outcome.output.rstrip()}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def run(check: Check) -> Outcome:
    """Run a checker in the checkout's folder."""
    program, *arguments = check.command
    started = time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=CHECKOUT,
        env=child_environment({"NO_COLOR": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(check, done.returncode == 0, done.stdout, time.monotonic() - started)


if __name__ == "__main__":
    main()
