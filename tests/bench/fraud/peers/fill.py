"""Fill `payments` with even payments, as fast as it goes: `SERVERS CARDS DAY_EVENTS MEASURED BURSTS END_MS`."""

import sys

from confluent_kafka import Producer

from connectors.topics import PAYMENTS
from tests.bench.fraud.even_payments import Shape

AT_A_TIME = 10_000


def main() -> None:
    """Returns when the broker has all of them."""
    servers, *numbers = sys.argv[1:]
    *shape, end_ms = map(int, numbers)
    failures: list[str] = []

    def delivered(error: object, _message: object) -> None:
        if error:
            failures.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 50,
            "batch.size": 1 << 18,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 4 * AT_A_TIME,
            "enable.idempotence": True,
        }
    )
    produce = producer.produce
    for number, (partition, key, value, time) in enumerate(Shape(*shape).records(end_ms), start=1):
        produce(PAYMENTS.name, value, key, partition, on_delivery=delivered, timestamp=time)
        if number % AT_A_TIME == 0:
            while len(producer) > AT_A_TIME:
                producer.poll(0.01)
    producer.flush()
    if failures:
        sys.exit(f"{len(failures)} payments didn't get to Kafka: {failures[0]}")


if __name__ == "__main__":
    main()
