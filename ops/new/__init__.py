"""Commands that write the first draft of an event, a pipeline, a job or a rule."""
