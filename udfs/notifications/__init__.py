"""Notifications: policy, decisions and quiet hours."""
