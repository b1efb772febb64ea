"""Simulated order service, which publishes orders; see `python -m local.simulator.order_service --help`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import click

from connectors.kafka.topics import ORDERS
from connectors.stop_signal import stop_on_signal
from local.simulator.faults import NO_FAULTS, Faults, disturb
from local.simulator.ledger import LedgerSummary
from local.simulator.ledger_file import NO_LEDGER
from local.simulator.orders.orders import planned_orders
from local.simulator.outgoing import Outgoing
from local.simulator.progress import Progress
from local.simulator.publishing import publish_all
from local.simulator.service import (
    MOST_LATE_MS,
    RunArguments,
    clock_for,
    explaining_errors,
    run_options,
    service_settings,
)
from local.simulator.world.population import STAY_AT_HOME_EVERY, Population
from local.simulator.world.timetable import OptionsError, Timetable


@dataclass(frozen=True, kw_only=True)
class OrderOptions(Timetable):
    """Options of a run; the same options lead to the same records, byte for byte."""

    rate: float = 5.0
    early: float = 0.02
    """Share of orders by customers, or of products, that the shop enters a few seconds later."""
    customers: int | None = None
    """Number of customers of the shop; by default, each customer who orders does so twice an hour."""
    faults: Faults = NO_FAULTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.early <= 1:
            raise OptionsError(f"the share of early orders must be from 0 to 1, not {self.early}")
        if self.customers is not None and self.customers < STAY_AT_HOME_EVERY:
            raise OptionsError(f"one customer in {STAY_AT_HOME_EVERY} orders, so {self.customers} are not enough")


def generate(options: OrderOptions) -> Iterator[Outgoing]:
    """Yield all records of a run in the order in which they are sent, without publishing them."""
    orders = planned_orders(options, Population(), options.faults.late, options.early, options.customers)
    return disturb(orders, ORDERS, options.faults, Random(f"{options.seed}/order faults"))


def publish(
    options: OrderOptions,
    bootstrap_servers: str,
    *,
    speed: float | None,
    ledger: Path = NO_LEDGER,
    stop: Event | None = None,
    quiet: bool = True,
) -> LedgerSummary:
    """Publish a run and wait until all of it is acknowledged; see `payment_service.publish`."""
    clock = clock_for(options, speed, ORDERS, MOST_LATE_MS if options.faults.late else 0)
    progress = Progress("orders", quiet)
    return publish_all(generate(options), bootstrap_servers, clock=clock, progress=progress, ledger=ledger, stop=stop)


@click.command()
@run_options("orders", rate=5.0)
@click.option(
    "--early",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Share of orders whose customer or product the shop enters seconds later, if both start together.",
)
@click.option(
    "--customers",
    type=click.IntRange(min=STAY_AT_HOME_EVERY),
    help="Number of customers that the shop began with; every tenth orders.  [default: rate × 18,000]",
)
def main(early: float, customers: int | None, **arguments: Any) -> None:
    """Publish simulated orders until the time is over or Ctrl-C is pressed."""
    run = RunArguments(**arguments)
    with explaining_errors(), stop_on_signal() as stop:
        options = OrderOptions(
            start_ms=run.start_ms,
            rate=run.rate,
            seconds=run.seconds,
            seed=run.seed,
            early=early,
            customers=customers,
            faults=run.faults,
        )
        servers = service_settings().kafka_bootstrap_servers
        publish(options, servers, speed=run.clock_speed, ledger=run.ledger, stop=stop, quiet=run.quiet)


if __name__ == "__main__":
    main()
