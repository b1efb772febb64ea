"""Conditions of rules: grammar, units, contradictions."""
