"""A producer of payments that knows which ones did not reach Kafka."""

import sys
import time
from typing import Any

import msgspec
from confluent_kafka import Producer

from connectors.kafka.topics import PAYMENTS
from tests.bench.payments.even import Record

READY_SECONDS = 30.0
POLL_SECONDS = 0.01
STATISTICS_MS = 100


class PaymentProducer:
    """Producer for the topic `payments`."""

    def __init__(self, servers: str, options: dict[str, Any]) -> None:
        """Create the producer; it connects when something is sent.

        Args:
            options: of librdkafka, beside those that all need.
        """
        shared = {
            "bootstrap.servers": servers,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "statistics.interval.ms": STATISTICS_MS,
            "stats_cb": self._counted,
        }
        self._has_id = False
        self._failures: list[str] = []
        self.producer = Producer(shared | options)

    def make_ready(self) -> None:
        """Wait until what is sent goes out at once.

        An idempotent producer needs an id from the broker first, which librdkafka asks for again only after half a
        second when it had no connection at its start; until then it keeps what it is given.

        Raises:
            SystemExit: no broker answers.
        """
        end = time.monotonic() + READY_SECONDS
        self.producer.list_topics(PAYMENTS.name, timeout=READY_SECONDS)
        while not self._has_id:
            if time.monotonic() > end:
                sys.exit(f"the broker gave the producer no id in {READY_SECONDS:.0f} s")
            self.producer.poll(POLL_SECONDS)

    def send(self, record: Record) -> None:
        """Send a record with its event time."""
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

    def _counted(self, statistics: str) -> None:
        if not self._has_id:
            self._has_id = msgspec.json.decode(statistics)["eos"]["idemp_state"] == "Assigned"

    def _delivered(self, error: object, _message: object) -> None:
        if error:
            self._failures.append(str(error))
