"""The simulated shop: its database, and what keeps happening to it."""
