"""The simulated shop: its database, and the changes in it."""
