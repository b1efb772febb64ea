"""Which payments happen? Honest ones, and fraud among them."""
