"""Where payments go: a producer that knows what didn't get to Kafka."""

import sys
from typing import Any

from confluent_kafka import Producer

from connectors.topics import PAYMENTS
from tests.bench.fraud.even_payments import Record


class PaymentProducer:
    """To the topic `payments`."""

    def __init__(self, servers: str, options: dict[str, Any]) -> None:
        """Connects when something is sent.

        Args:
            options: of librdkafka, beside those that all need.
        """
        shared = {
            "bootstrap.servers": servers,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
        }
        self.producer = Producer(shared | options)
        self._failures: list[str] = []

    def send(self, record: Record) -> None:
        """One, at its event time."""
        partition, key, value, time = record
        self.producer.produce(PAYMENTS.name, value, key, partition, on_delivery=self._delivered, timestamp=time)

    def finish(self) -> None:
        """Wait until the broker has all of them.

        Raises:
            SystemExit: some didn't get there.
        """
        self.producer.flush()
        if self._failures:
            sys.exit(f"{len(self._failures)} payments didn't get to Kafka: {self._failures[0]}")

    def _delivered(self, error: object, _message: object) -> None:
        if error:
            self._failures.append(str(error))
