"""Local stack: the services that jobs need, and the cluster they run on."""
