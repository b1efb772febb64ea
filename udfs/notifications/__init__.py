"""Notifications to customers: policy, state of a recipient, decisions, schedule and messages."""
