"""Who lives in the simulated world, where, and what can be bought there?"""
