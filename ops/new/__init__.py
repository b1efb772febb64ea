"""Commands that draft events, pipelines, jobs and rules."""
