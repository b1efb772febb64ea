"""Up to which event time is everything reflected in each sink?"""
