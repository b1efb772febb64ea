"""Commands that submit, list and stop jobs and SQL pipelines."""
