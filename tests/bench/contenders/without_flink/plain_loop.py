"""A loop in one process, with confluent-kafka and msgspec: the simplest thing that could work, no fault tolerance."""

from collections import defaultdict

import msgspec
from confluent_kafka import Consumer, Producer

from events import Payment
from tests.bench.contenders.peer_logic import Card, alert, rules
from tests.bench.contenders.settings import Run
from udfs.fraud.alerts import Case


def main() -> None:
    """Judge payments from the beginning of the topic, until the process is stopped."""
    run = Run.from_environment()
    consumer = Consumer(
        {
            "bootstrap.servers": run.bootstrap_servers,
            "group.id": run.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": run.bootstrap_servers, "linger.ms": 0, "compression.type": "lz4"})
    decode, encode = msgspec.json.Decoder(Payment).decode, msgspec.json.Encoder().encode
    judge = rules()
    cards: defaultdict[str, Card] = defaultdict(Card)
    cases: defaultdict[str, tuple[Case, ...]] = defaultdict(tuple)

    def start_anew(_consumer: object, _partitions: object) -> None:
        # Nothing was committed, so that after a rebalance all partitions are read from their beginning.
        cards.clear()
        cases.clear()

    consumer.subscribe([run.payments], on_assign=start_anew)
    while True:
        for message in consumer.consume(1000, timeout=0.005):
            if error := message.error():
                raise RuntimeError(str(error))
            payment = decode(message.value())
            card = payment.card_id
            features = cards[card].features(payment)
            cases[card], raised = alert(judge, payment, features, cases[card])
            if raised:
                producer.produce(run.alerts, encode(raised), card)
        producer.poll(0)


if __name__ == "__main__":
    main()
