"""How is PostgreSQL reached, and which tables are captured?"""
