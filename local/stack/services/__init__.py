"""Which services run here? One declaration a file."""
