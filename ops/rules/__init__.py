"""Commands that check and publish rulesets and notification policies."""
