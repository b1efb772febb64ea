"""Conditions of rules: grammar, units and contradictions."""
