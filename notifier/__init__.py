"""Delivers notifications to customers as e-mail over SMTP, at least once."""

NAME = "notifier"
"""Name of the notifier: suffix of its consumer group, folder in the stack's state, and value of `rejected_by`."""
