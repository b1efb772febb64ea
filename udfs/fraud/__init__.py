"""Fraud detection, as pure functions and as Flink functions: features, rules, cases and alerts."""
