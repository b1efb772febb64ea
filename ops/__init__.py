"""Commands of `python -m ops`, one group per folder."""
