"""Which indices exist, how is one rebuilt, what is in it?"""
