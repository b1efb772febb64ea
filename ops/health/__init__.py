"""Command that checks the health of jobs, topics and services, from one declared list of checks."""
