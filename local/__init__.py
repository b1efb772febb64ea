"""Everything for a laptop: the stack, the simulated services and the demo. Nothing in production imports it."""
