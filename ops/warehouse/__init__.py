"""Is the schema current, and do the figures agree with the sources?"""
