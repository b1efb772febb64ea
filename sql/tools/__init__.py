"""How are SQL files split, filled, linted and compared?"""
