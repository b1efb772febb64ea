"""Send even payments at a steady rate: `SERVERS CARDS DAY_EVENTS START_MS FIRST END RATE`.

Payment n of the stream is due (n - FIRST) / RATE seconds after the beginning. Those that are due are sent, however long
it takes: what comes late isn't left out. Prints when it begins (seconds since 1970), as soon as it's ready; at the end,
how many milliseconds a payment was behind at most when it was handed to the producer.
"""

import sys
import time
from itertools import islice

from tests.bench.payments.even import Stream
from tests.bench.payments.producer import PaymentProducer

PAUSE_SECONDS = 0.001


def main() -> None:
    """Send the payments; return when the broker has all of them."""
    servers, *numbers, rate_text = sys.argv[1:]
    cards, day_events, start_ms, first, end = map(int, numbers)
    rate = float(rate_text)
    payments = PaymentProducer(servers, {"linger.ms": 1, "queue.buffering.max.messages": end - first})
    payments.make_ready()
    records = Stream(cards, day_events, start_ms).records(first, end)
    sent, most_behind = 0, 0.0
    begin = time.time()
    print(begin, flush=True)
    while sent < end - first:
        now = time.time()
        due = min(end - first, int((now - begin) * rate) + 1)
        if due <= sent:
            payments.producer.poll(0)
            time.sleep(PAUSE_SECONDS)
            continue
        most_behind = max(most_behind, now - begin - sent / rate)
        for record in islice(records, due - sent):
            payments.send(record)
        sent = due
        payments.producer.poll(0)
    payments.finish()
    print(round(most_behind * 1000))


if __name__ == "__main__":
    main()
