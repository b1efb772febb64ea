"""Tools that split, load, lint and compare SQL files."""
