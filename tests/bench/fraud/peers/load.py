"""Send even payments at a steady rate: `SERVERS CARDS DAY_EVENTS START_MS FIRST END RATE`.

Payment n of the stream is due (n - FIRST) / RATE seconds after the beginning. Those that are due are sent, however long
it takes: what comes late isn't left out. Prints when it begins (seconds since 1970), as soon as it's ready; at the end,
how many milliseconds a payment was behind at most when it was handed to the producer.
"""

import sys
import time
from itertools import islice

from confluent_kafka import Producer

from connectors.topics import PAYMENTS
from tests.bench.fraud.even_payments import Stream

PAUSE_SECONDS = 0.001


def main() -> None:
    """Returns when the broker has all of them."""
    servers, *numbers, rate_text = sys.argv[1:]
    cards, day_events, start_ms, first, end = map(int, numbers)
    rate = float(rate_text)
    failures: list[str] = []

    def delivered(error: object, _message: object) -> None:
        if error:
            failures.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 1,
            "compression.type": "lz4",
            "queue.buffering.max.messages": end - first,
            "enable.idempotence": True,
        }
    )
    # Before the first is due it is connected, and all that is made once is made.
    producer.list_topics(PAYMENTS.name)
    records = Stream(cards, day_events, start_ms).records(first, end)
    produce = producer.produce
    sent, most_behind = 0, 0.0
    begin = time.time()
    print(begin, flush=True)
    while sent < end - first:
        now = time.time()
        due = min(end - first, int((now - begin) * rate) + 1)
        if due <= sent:
            producer.poll(0)
            time.sleep(PAUSE_SECONDS)
            continue
        most_behind = max(most_behind, now - begin - sent / rate)
        for partition, key, value, moment in islice(records, due - sent):
            produce(PAYMENTS.name, value, key, partition, on_delivery=delivered, timestamp=moment)
        sent = due
        producer.poll(0)
    producer.flush()
    if failures:
        sys.exit(f"{len(failures)} payments didn't get to Kafka: {failures[0]}")
    print(round(most_behind * 1000))


if __name__ == "__main__":
    main()
