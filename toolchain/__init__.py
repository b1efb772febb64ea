"""How are Java, the jars and Flink's folders provided? Fetched, checked, compiled, linked into a cache."""
