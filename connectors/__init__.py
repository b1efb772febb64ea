"""Where does it come from, where does it go? Kafka, Elasticsearch, PostgreSQL, and the settings of all three."""
