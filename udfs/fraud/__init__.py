"""Fraud detection without Flink and with it: features, rules, cases and alerts."""
