"""Kafka: declared topics, clients, dead letters and the schema registry."""
