"""What do I need on a laptop? The services that jobs talk to, and the cluster they run on."""
