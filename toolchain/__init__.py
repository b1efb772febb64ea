"""Java, jars and Flink's folders: fetched, checked, compiled and linked into a cache."""
