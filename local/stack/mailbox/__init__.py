"""Mail server of the local stack, which keeps each message as a file, and commands to read them."""
