"""Which bad records are there, and how are they replayed?"""
