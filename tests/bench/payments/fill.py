"""Fills `payments` as fast as possible: `SERVERS CARDS DAY_EVENTS MEASURED BURSTS END_MS`, or `SERVERS`.

With numbers it makes even payments, without it takes records from its standard input, each a line of partition, key,
time and value between tabs.
"""

import sys
from collections.abc import Iterable, Iterator

from tests.bench.payments.even import Record, Shape
from tests.bench.payments.producer import PaymentProducer

AT_A_TIME = 10_000


def main() -> None:
    """Send the payments; return when the broker has all of them."""
    servers, *numbers = sys.argv[1:]
    if not numbers:
        send(servers, piped(sys.stdin.buffer))
        return
    *shape, end_ms = map(int, numbers)
    send(servers, Shape(*shape).records(end_ms))


def piped(lines: Iterable[bytes]) -> Iterator[Record]:
    """Parse one record a line."""
    for line in lines:
        partition, key, time, value = line.rstrip(b"\n").split(b"\t", 3)
        yield Record(int(partition), key, value, int(time))


def send(servers: str, records: Iterable[Record]) -> None:
    """Send all records.

    Raises:
        SystemExit: some didn't get there.
    """
    options = {"linger.ms": 50, "batch.size": 1 << 18, "queue.buffering.max.messages": 4 * AT_A_TIME}
    payments = PaymentProducer(servers, options)
    for number, record in enumerate(records, start=1):
        payments.send(record)
        if number % AT_A_TIME == 0:
            while len(payments.producer) > AT_A_TIME:
                payments.producer.poll(0.01)
    payments.finish()


if __name__ == "__main__":
    main()
