"""Services of the local stack, one declaration a file."""
