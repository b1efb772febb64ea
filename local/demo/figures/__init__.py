"""Figures of the demo, read from topics, databases, index and mailbox."""
