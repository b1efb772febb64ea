"""Comparisons of the demo's results with the expected ones, one per module."""
