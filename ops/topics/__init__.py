"""Commands that compare topics and schemas with their declarations, and show keys and records."""
