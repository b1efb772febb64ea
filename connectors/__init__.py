"""Clients of Kafka, Elasticsearch and PostgreSQL, and the settings of all three."""
