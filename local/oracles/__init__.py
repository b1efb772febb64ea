"""Expected results from events and ledgers, by another method than the product: no Kafka, no database, no Flink."""
