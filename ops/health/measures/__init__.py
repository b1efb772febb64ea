"""Measures of the checks: generators of readings in which a higher value is worse."""
