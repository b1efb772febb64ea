"""Services of a test's own: one of the stack, or a server in the test's process."""
