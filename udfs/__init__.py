"""Business decisions: pure functions and records first, then the thin Flink functions that call them."""
