"""Notifications to customers: policy, decisions and quiet hours."""
