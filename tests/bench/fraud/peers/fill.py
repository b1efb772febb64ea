"""Fill `payments` as fast as it goes: `SERVERS CARDS DAY_EVENTS MEASURED BURSTS END_MS`, or `SERVERS`.

With numbers it makes even payments, without it takes records from its standard input, each a line of partition, key,
time and value between tabs.
"""

import sys
from collections.abc import Iterable, Iterator

from confluent_kafka import Producer

from connectors.topics import PAYMENTS
from tests.bench.fraud.even_payments import Record, Shape

AT_A_TIME = 10_000


def main() -> None:
    """Returns when the broker has all of them."""
    servers, *numbers = sys.argv[1:]
    if not numbers:
        send(servers, piped(sys.stdin.buffer))
        return
    *shape, end_ms = map(int, numbers)
    send(servers, Shape(*shape).records(end_ms))


def piped(lines: Iterable[bytes]) -> Iterator[Record]:
    """A record a line."""
    for line in lines:
        partition, key, time, value = line.rstrip(b"\n").split(b"\t", 3)
        yield Record(int(partition), key, value, int(time))


def send(servers: str, records: Iterable[Record]) -> None:
    """All of them.

    Raises:
        SystemExit: some didn't get there.
    """
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
            "partitioner": "murmur2_random",
        }
    )
    produce = producer.produce
    for number, (partition, key, value, time) in enumerate(records, start=1):
        produce(PAYMENTS.name, value, key, partition, on_delivery=delivered, timestamp=time)
        if number % AT_A_TIME == 0:
            while len(producer) > AT_A_TIME:
                producer.poll(0.01)
    producer.flush()
    if failures:
        sys.exit(f"{len(failures)} payments didn't get to Kafka: {failures[0]}")


if __name__ == "__main__":
    main()
