"""`make demo`: runs the whole data flow on this machine, shows it live, and then checks the results."""
