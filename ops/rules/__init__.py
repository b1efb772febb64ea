"""Which rulesets and notification policies are valid and in force?"""
