"""Simulated payments: honest ones, and fraud among them."""
