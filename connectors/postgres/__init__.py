"""PostgreSQL: its client, and the tables whose changes are captured."""
