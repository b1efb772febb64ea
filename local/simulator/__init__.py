"""Simulated services that publish to Kafka, and the ledger of what they sent."""
