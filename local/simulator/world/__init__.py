"""The simulated world: its people, places and products."""
