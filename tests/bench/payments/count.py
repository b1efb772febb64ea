"""Count the committed records of a topic: `SERVERS TOPIC`."""

import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

AT_A_TIME = 10_000
WAIT_SECONDS = 10.0


def main() -> None:
    """Print the number of records that were committed until now."""
    servers, topic = sys.argv[1:]
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "count",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    numbers = consumer.list_topics(topic, WAIT_SECONDS).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number) for number in numbers])
    records, at_end = 0, 0
    while at_end < len(numbers):
        for message in consumer.consume(AT_A_TIME, timeout=WAIT_SECONDS):
            error = message.error()
            if error is None:
                records += 1
            elif error.name() == "_PARTITION_EOF":
                at_end += 1
            else:
                raise KafkaException(error)
    consumer.close()
    print(records)


if __name__ == "__main__":
    main()
