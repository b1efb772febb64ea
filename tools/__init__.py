"""What does a developer run on a checkout? Installation, checks, and a look at the machine."""
