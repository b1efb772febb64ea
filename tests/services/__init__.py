"""Services of one test: a service of the stack alone, or a server in the test's process."""
