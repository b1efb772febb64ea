"""Event times up to which everything is reflected in each sink."""
