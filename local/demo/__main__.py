"""`python -m local.demo`: start the stack, submit the jobs, let orders and payments flow, watch, check, shut down."""

import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click
from kafka.errors import KafkaError

from connectors.elasticsearch.client import ElasticsearchError
from connectors.kafka.registry import RegistryError
from local.demo.checks.checks import CheckError
from local.demo.output import report
from local.demo.run import demonstrate
from local.demo.services import ServiceError
from local.simulator.ledger_file import LedgerError
from local.simulator.shop.database import ShopError
from local.stack.__main__ import FAULTS
from ops.capture.progress import CaptureError
from ops.jobs.flink_rest import FlinkError
from ops.rules.rulesets import PublicationError
from ops.search.find import NoIndexError
from ops.topics.apply import TopicsBlockedError
from ops.topics.schemas import SchemasRefusedError
from ops.warehouse.migrations import MigrationError

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPERATING_FAULTS = (
    CaptureError,
    ElasticsearchError,
    FlinkError,
    KafkaError,
    MigrationError,
    NoIndexError,
    PublicationError,
    RegistryError,
    SchemasRefusedError,
    ServiceError,
    ShopError,
    TopicsBlockedError,
)


@click.command(help="See the whole path work on this machine.")
@click.option("--seconds", default=40.0, show_default=True, help="How long payments flow.")
@click.option("--rate", default=200.0, show_default=True, help="Payments a second.")
@click.option("--seed", default=7, show_default=True, help="Another seed is another world.")
def main(seconds: float, rate: float, seed: int) -> None:
    """Run the demo; the last line and the exit status report the result."""
    end_in_words("demo", lambda: demonstrate(seconds, rate, seed))


def end_in_words(name: str, action: Callable[[], None]) -> NoReturn:
    """Run the action and end this program; its last line, which begins with the name, and its exit status report the
    result."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        action()
    except KeyboardInterrupt:
        _end(f"{name}: FAILED: interrupted", 130)
    except (*FAULTS, *OPERATING_FAULTS, CheckError, LedgerError, OSError) as error:
        _end(f"{name}: FAILED: {error}", 1)
    _end(f"{name}: ok", 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)  # a second interrupt would leave half of the stack running
    raise KeyboardInterrupt


def _end(line: str, status: int) -> NoReturn:
    with suppress(OSError):
        report(line)
    sys.exit(status)


if __name__ == "__main__":
    main()
