"""Commands of `python -m ops`, one group a folder."""
