"""Fills the topic `payments` for a catch-up, with simulated or even payments."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from pathlib import Path

from connectors.kafka.topics import PAYMENTS
from connectors.settings import Settings
from events import FraudAlert, Payment
from local.settings import CHECKOUT
from tests.bench.environment.topics import empty
from tests.bench.payments.even import Record, Shape
from tests.bench.payments.expected_alerts import expected_alerts
from tests.bench.payments.simulated import CLOSING_AFTER_MS, payments, records


@dataclass(frozen=True)
class Topic:
    """Simulated payments in Kafka."""

    payments: int
    """Number of payments."""
    alerts: Mapping[str, FraudAlert]
    """Alerts that they must raise, by id."""


def fill_simulated(settings: Settings, python: Path, number: int, cards: int) -> Topic:
    """Write simulated payments, up to now, and compute the alerts that they must raise.

    Args:
        python: interpreter that has the packages of the peers.

    Raises:
        subprocess.CalledProcessError: they didn't get to Kafka; the sender has printed why.
    """
    began = time.monotonic()
    command = [str(python), "-m", "tests.bench.payments.fill", settings.kafka_bootstrap_servers]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE) as sender:
        assert sender.stdin
        closed, made = tee(payments(number, cards, time.time_ns() // 1_000_000 - CLOSING_AFTER_MS))
        lines = map(_line, records(closed))

        def sent() -> Iterator[Payment]:
            for payment in made:
                sender.stdin.write(next(lines))
                yield payment
            sender.stdin.writelines(lines)

        topic = Topic(number, expected_alerts(sent()))
    if sender.returncode:
        raise subprocess.CalledProcessError(sender.returncode, command)
    print(
        f"{number:,} payments of {cards:,} cards are in Kafka after {time.monotonic() - began:.0f} s, "
        f"and {len(topic.alerts):,} alerts are expected",
        flush=True,
    )
    return topic


def _line(record: Record) -> bytes:
    return b"%d\t%s\t%d\t%s\n" % (record.partition, record.key, record.time, record.value)


@contextmanager
def even_topic(settings: Settings, shape: Shape, python: Path) -> Iterator[int]:
    """Fill the topic with payments of a shape, and empty it afterwards; yield the event time at which they end.

    Args:
        python: interpreter that has the packages of the peers.
    """
    end_ms = time.time_ns() // 1_000_000 - CLOSING_AFTER_MS
    empty(settings, PAYMENTS.name)
    numbers = map(str, (shape.cards, shape.day_events, shape.measured, shape.bursts, end_ms))
    began = time.monotonic()
    fill = [str(python), "-m", "tests.bench.payments.fill", settings.kafka_bootstrap_servers, *numbers]
    subprocess.run(fill, cwd=CHECKOUT, check=True)
    print(f"{shape.payments:,} payments of {shape.cards:,} cards after {time.monotonic() - began:.0f} s", flush=True)
    yield end_ms
    empty(settings, PAYMENTS.name)
