"""How is it operated? `python -m ops` has one command group a folder."""
