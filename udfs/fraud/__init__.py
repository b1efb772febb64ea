"""Is a payment suspicious, and what happens to the case? Features, rules, alerts."""
