"""Which message goes to which customer, and when? Policy, decisions, quiet hours."""
