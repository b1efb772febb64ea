"""Is change data capture set up, and is it complete?"""
