"""Comparisons of the demo's results with what they must be, one a module."""
