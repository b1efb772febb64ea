"""Commands that list, export and replay dead letters."""
