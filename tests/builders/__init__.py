"""Builders of the tests' events, rows and streams."""
