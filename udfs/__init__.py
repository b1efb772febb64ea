"""What is decided? Pure functions and records first; then the thin Flink functions that call them."""
