"""Do topics and schemas match their declarations? Also keys, partitions, and what is in a topic."""
