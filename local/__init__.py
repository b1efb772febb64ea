"""What do I need on a laptop? The stack, the simulated services and the demo; nothing in production imports it."""
