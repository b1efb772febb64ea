"""How are topics declared, read and written? Also dead letters and the schema registry."""
