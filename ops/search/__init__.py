"""Commands that apply, rebuild and query the search index."""
