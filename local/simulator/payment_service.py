"""Simulated payment service, which publishes payments; see `python -m local.simulator.payment_service --help`."""

import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from heapq import merge
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import click

from connectors.kafka.topics import ORDERS, PAYMENTS
from connectors.stop_signal import stop_on_signal
from local.simulator.faults import NO_FAULTS, Faults, disturb
from local.simulator.ledger import LedgerSummary
from local.simulator.ledger_file import NO_LEDGER
from local.simulator.orders.order_reader import OrderReader
from local.simulator.orders.orders import planned_order_payments, planned_orders
from local.simulator.outgoing import Outgoing
from local.simulator.payments.honest_customers import VISITS_A_DAY, regulars
from local.simulator.payments.traffic import Traffic
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
from local.simulator.world.places import HOUR_MS
from local.simulator.world.population import Population
from local.simulator.world.timetable import OptionsError, Timetable

LEAST_CARDS = 1_000
SECONDS_BETWEEN_VISITS = 1_800
"""Mean time between two visits with one card, unless the number of cards is set."""
LEAST_SECONDS_BETWEEN_VISITS = 900
"""Minimum of that mean: with fewer cards, honest customers would look like fraud."""
HISTORY_RATE = 4_000
"""Minimum rate at which the history is published, in payments per second."""


@dataclass(frozen=True, kw_only=True)
class PaymentOptions(Timetable):
    """Options of a run; the same options lead to the same records, byte for byte."""

    cards: int | None = None
    """Number of cards; by default, each pays twice an hour, but there are at least 1,000."""
    fraud_share: float = 0.01
    """Share of the payments that belong to planted fraud."""
    history_hours: float = 12.0
    """Hours before the start in which some cards have paid already, in addition to rate × seconds. Without a history,
    fraud that shows only against a card's habits is not planted before the run is hours old."""
    orders_rate: float = 0.0
    """Orders per second that are published too, with their payments in addition to rate × seconds."""
    faults: Faults = NO_FAULTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.fraud_share <= 0.5:
            raise OptionsError(f"the share of fraud must be from 0 to 0.5, not {self.fraud_share}")
        if self.number_of_cards < self.rate * LEAST_SECONDS_BETWEEN_VISITS:
            raise OptionsError(
                f"{self.number_of_cards:,} cards can't make {self.rate:g} payments a second and look honest:"
                f" {self.rate * LEAST_SECONDS_BETWEEN_VISITS:,.0f} are needed"
            )

    @property
    def number_of_cards(self) -> int:
        """Number of cards that pay."""
        return self.cards or max(LEAST_CARDS, round(self.rate * SECONDS_BETWEEN_VISITS))


def generate(options: PaymentOptions) -> Iterator[Outgoing]:
    """Yield all records of a run in the order in which they are sent, without publishing them."""
    population = Population()
    bound_ms = round(options.faults.out_of_order_seconds * 1000)
    traffic = Traffic(
        options,
        population,
        cards=options.number_of_cards,
        fraud_share=options.fraud_share,
        late=options.faults.late,
        bound_ms=bound_ms,
    )
    random = Random(f"{options.seed}/faults")
    records = disturb(traffic.planned(options.history_hours), PAYMENTS, options.faults, random)
    if not options.orders_rate:
        return records
    orders = Timetable(start_ms=options.start_ms, rate=options.orders_rate, seconds=options.seconds, seed=options.seed)
    order_payments = planned_order_payments(planned_orders(orders, population), population, orders.end_ms)
    return merge(
        records,
        disturb(planned_orders(orders, population), ORDERS, options.faults, Random(f"{options.seed}/order faults")),
        disturb(order_payments, PAYMENTS, options.faults, Random(f"{options.seed}/order payment faults")),
        key=lambda outgoing: outgoing.send_at_ms,
    )


def publish(
    options: PaymentOptions,
    bootstrap_servers: str,
    *,
    speed: float | None,
    ledger: Path = NO_LEDGER,
    stop: Event | None = None,
    orders_group: str | None = None,
    quiet: bool = True,
) -> LedgerSummary:
    """Publish a run and wait until all of it is acknowledged.

    Args:
        speed: simulated seconds per second, 0 for as fast as possible, None for real time: see `starting_now`.
        ledger: the file in which to record what was sent.
        stop: set it to end the run early.
        orders_group: consumer group with which to read the orders topic and pay the orders; in real time only.

    Raises:
        OptionsError: Kafka would refuse or delete the records.
        PublishError: the broker is unavailable.
    """
    if orders_group and speed is not None:
        raise OptionsError("orders are read from their topic in real time only: use orders_rate in simulated time")
    before_ms = round(options.history_hours * HOUR_MS) + (MOST_LATE_MS if options.faults.late else 0)
    clock = clock_for(options, speed, PAYMENTS, before_ms)
    progress = Progress("payments", quiet)
    stop = stop or Event()
    order_reader = (
        OrderReader(bootstrap_servers, orders_group, Population(), progress.report, stop) if orders_group else None
    )
    with closing(order_reader) if order_reader else nullcontext():
        summary = publish_all(
            generate(options),
            bootstrap_servers,
            clock=clock,
            progress=progress,
            ledger=ledger,
            stop=stop,
            order_reader=order_reader,
        )
    if order_reader and order_reader.unusable:
        progress.end(f"{order_reader.unusable:,} records of the orders topic were no orders of this population")
    return summary


def starting_now(options: PaymentOptions) -> PaymentOptions:
    """Return the same run, starting in real time as soon as its history can be published."""
    history = regulars(options.number_of_cards) * VISITS_A_DAY * options.history_hours / 24
    return replace(options, start_ms=time.time_ns() // 1_000_000 + round(1000 * (1 + history / HISTORY_RATE)))


@click.command()
@run_options("payments", rate=200.0)
@click.option("--fraud-share", default=0.01, show_default=True, help="Share of payments that are planted fraud.")
@click.option("--cards", type=click.IntRange(min=1), help="Number of cards that pay.  [default: rate × 1,800]")
@click.option(
    "--history-hours",
    type=click.FloatRange(0, 23),
    default=12.0,
    show_default=True,
    help="Hours before the start in which some cards have paid already.",
)
@click.option("--orders", is_flag=True, help="Pay the orders of the orders topic too, in real time.")
@click.option(
    "--with-orders",
    "orders_rate",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Orders a second to publish and pay, too: both services in one run, which can be repeated exactly.",
)
def main(
    fraud_share: float, cards: int | None, history_hours: float, orders: bool, orders_rate: float, **arguments: Any
) -> None:
    """Publish simulated payments until the time is over or Ctrl-C is pressed."""
    run = RunArguments(**arguments)
    with explaining_errors(), stop_on_signal() as stop:
        settings = service_settings()
        options = PaymentOptions(
            start_ms=run.start_ms,
            rate=run.rate,
            seconds=run.seconds,
            seed=run.seed,
            cards=cards,
            fraud_share=fraud_share,
            history_hours=history_hours,
            orders_rate=orders_rate,
            faults=run.faults,
        )
        publish(
            options if run.start else starting_now(options),
            settings.kafka_bootstrap_servers,
            speed=run.clock_speed,
            ledger=run.ledger,
            stop=stop,
            orders_group=f"{settings.consumer_group_prefix}-payment-service" if orders else None,
            quiet=run.quiet,
        )


if __name__ == "__main__":
    main()
