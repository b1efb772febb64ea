"""Conditions of rules: facts, grammar, units, contradictions and compiler."""
