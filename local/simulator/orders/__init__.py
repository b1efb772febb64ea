"""Simulated orders, and how the payment service reads them."""
