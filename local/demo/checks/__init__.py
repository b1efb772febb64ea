"""Are the results what they must be? One comparison a module."""
