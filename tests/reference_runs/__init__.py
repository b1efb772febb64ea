"""What must the results be? Plain loops, and rules written from their specification."""
