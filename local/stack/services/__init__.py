"""Services of the local stack, one declaration per file."""
