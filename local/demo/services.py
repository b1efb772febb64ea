"""Runs the simulated services of the demo, each as a process with a ledger."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.process_environment import child_environment
from local.simulator.ledger import Ledger, LedgerContent
from local.simulator.orders.orders import customers_for
from local.simulator.shop.shop_ledger import ShopLedger, ShopLedgerContent

END_SECONDS = 60.0
PAYMENTS_AN_ORDER = 40
SHOP_CHANGES_A_SECOND = 10.0
MOST_CUSTOMERS = 100_000
"""Maximum number of customers: all are captured, kept by the jobs and loaded before the first order, so more would
delay the start."""


class ServiceError(RuntimeError):
    """A service failed; the text is its output."""


@dataclass(frozen=True)
class Services:
    """The order service, the payment service and the shop of one demo, and the notifier."""

    folder: Path
    """Folder of their ledgers, and of their output."""
    seconds: float
    rate: float
    """Payments per second."""
    seed: int

    @property
    def customers(self) -> int:
        """Number of customers that the shop has at first."""
        return min(MOST_CUSTOMERS, customers_for(self._orders_a_second))

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a service, and end it with the block."""
        with self._output(name).open("wb") as output:
            service = subprocess.Popen(
                [sys.executable, "-m", _module(name), *self.arguments.get(name, ["--quiet"])],
                env=child_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield service
        finally:
            if service.poll() is None:
                service.terminate()
                try:
                    service.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    service.kill()
                    service.wait()

    @property
    def arguments(self) -> dict[str, list[str]]:
        """Arguments of the services that end by themselves, by module of `local.simulator`.

        The shop and the order service follow one timetable: they start together.
        """
        faults = ["--duplicates", "0.005", "--out-of-order-seconds", "3", "--late", "0.001", "--bad", "0.01"]
        arguments = {
            "shop": ["--rate", str(SHOP_CHANGES_A_SECOND), "--customers", str(self.customers)],
            "order_service": ["--rate", str(self._orders_a_second), "--customers", str(self.customers), *faults],
            "payment_service": ["--rate", str(self.rate), "--orders", "--fraud-share", "0.01", *faults],
        }
        common = ["--seconds", str(self.seconds), "--seed", str(self.seed), "--quiet"]
        return {name: [*common, *own, "--ledger", str(self._ledger(name))] for name, own in arguments.items()}

    def require_health(self, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
        """Check that each service runs, or has ended as it should.

        Raises:
            ServiceError: one has failed, or has ended although it should not.
        """
        for name, process in processes.items():
            status = process.poll()
            if status or (status == 0 and name not in self.arguments):
                how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
                output = self._output(name).read_text(errors="replace").strip()
                raise ServiceError(f"{name} {how}: {output[-1000:] or 'it printed nothing'}")

    def sent(self) -> LedgerContent:
        """Read what the order service and the payment service sent to Kafka.

        Raises:
            LedgerError: a ledger can't be read.
        """
        contents = [Ledger.read(self._ledger(name)) for name in ("order_service", "payment_service")]
        return LedgerContent(tuple(record for content in contents for record in content.records), None)

    def shop(self) -> ShopLedgerContent:
        """Read what was done to the shop's tables.

        Raises:
            LedgerError: the ledger can't be read.
        """
        return ShopLedger.read(self._ledger("shop"))

    @property
    def _orders_a_second(self) -> float:
        return self.rate / PAYMENTS_AN_ORDER

    def _ledger(self, name: str) -> Path:
        return self.folder / f"{name}.ledger"

    def _output(self, name: str) -> Path:
        return self.folder / f"{name}.out"


def _module(name: str) -> str:
    """Return the module that a service is started as."""
    return name if name == "notifier" else f"local.simulator.{name}"
