"""`python -m tests.chaos`: the demo, with SIGKILLs at random while orders and payments flow, and its checks at the end.

The same seed draws the same kills, and the same world of orders and payments.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from connectors.settings import Settings
from local.demo.__main__ import end_in_words
from local.demo.checks.checks import CheckError
from local.demo.output import report
from local.demo.run import demonstrate
from local.settings import LocalSettings
from local.stack.services import elasticsearch, flink_taskmanager, kafka_broker, kafka_connect, mailbox, postgres
from local.stack.supervisor import Stack
from ops.formats import table
from ops.jobs.cluster_jobs import Failure, all_jobs, restarts
from tests.chaos import alert_check, restart_check
from tests.chaos.killer import Killer
from tests.chaos.schedule import Kill, schedule

TASK_MANAGER = "taskmanager"
ROLES = (TASK_MANAGER, kafka_connect.NAME, kafka_broker.NAME, postgres.NAME, elasticsearch.NAME, mailbox.NAME)


@click.command(help=__doc__)
@click.option("--seed", default=7, show_default=True, help="Another seed is another world, with other kills.")
@click.option("--seconds", default=120.0, show_default=True, help="How long payments flow and services are killed.")
@click.option("--rate", default=200.0, show_default=True, help="Payments a second.")
@click.option("--every", nargs=2, default=(6.0, 14.0), show_default=True, help="Seconds between kills, MIN MAX.")
@click.option("--away", nargs=2, default=(0.0, 5.0), show_default=True, help="Seconds to a service's start, MIN MAX.")
@click.option(
    "--services", multiple=True, type=click.Choice(ROLES), default=ROLES, help="What is killed; may be repeated."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for a copy of the logs and ledgers.")
def main(
    *,
    seed: int,
    seconds: float,
    rate: float,
    every: tuple[float, float],
    away: tuple[float, float],
    services: tuple[str, ...],
    keep: Path | None,
) -> None:
    """Run the demo under random kills; the last line and the exit status report the outcome."""
    kills = schedule(seed, seconds, every, away, {role: names(role) for role in services})
    end_in_words("chaos", lambda: endure(kills, seconds, rate, seed, keep))


def names(role: str) -> list[str]:
    """Return the services that fill a role."""
    if role != TASK_MANAGER:
        return [role]
    count = int(LocalSettings.from_environment().flink_task_managers)
    return [flink_taskmanager.name(number) for number in range(1, count + 1)]


def endure(kills: list[Kill], seconds: float, rate: float, seed: int, keep: Path | None) -> None:
    """Run the demo with these kills.

    Raises:
        CheckError: a check of the demo fails, a service stopped by itself or didn't come back, or a job
            restarted for another reason than a kill.
    """
    faults: list[str] = []

    @contextmanager
    def killing(stack: Stack) -> Iterator[None]:
        killer = Killer(stack, kills, report)
        try:
            with killer.at_work():
                yield
            faults.extend(_wrong_alerts(stack))
            faults.extend(restart_check.unexplained(killer.killed_at, _failures(stack.setup.settings)))
        finally:
            faults.extend(killer.faults)
            _report(stack, killer)
            if keep:
                copy_of_evidence(stack, keep)

    demonstrate(seconds, rate, seed, killing)
    if faults:
        raise CheckError("; ".join(faults))


def _wrong_alerts(stack: Stack) -> list[str]:
    found = alert_check.finding(stack.setup.settings)
    report(f"\n{table(('', 'claim', 'found'), [('ok' if found.holds else 'NO', found.claim, found.found)])}")
    return [] if found.holds else [f"{found.claim}: {found.found}"]


def _report(stack: Stack, killer: Killer) -> None:
    """Print the number of kills of each service, and of restarts of each job with their causes."""
    killed = sorted({kill.service for kill in killer.done})
    rows = [(service, sum(kill.service == service for kill in killer.done)) for service in killed]
    report(f"\n{table(('service', 'killed'), rows)}")
    restarted = [
        (name, len(failures), " | ".join(dict.fromkeys(map(restart_check.first_line, failures))))
        for name, failures in _failures(stack.setup.settings).items()
    ]
    report(f"\n{table(('job', 'restarts', 'causes'), restarted)}")
    for fault in killer.faults:
        report(f"chaos: {fault}")


def _failures(settings: Settings) -> dict[str, Sequence[Failure]]:
    """Return the causes of each job's restarts by its name, the latest first."""
    return {job.name: restarts(settings, job).failures for job in all_jobs(settings)}


def copy_of_evidence(stack: Stack, folder: Path) -> None:
    """Copy the logs of all services, and the ledgers of the simulated ones: the demo deletes them when it ends."""
    state = stack.setup.state
    for source in (*state.glob("*/log"), state / "demo"):
        shutil.copytree(source, folder / source.relative_to(state), dirs_exist_ok=True)


if __name__ == "__main__":
    main()
