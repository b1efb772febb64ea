"""Where does it come from, where does it go? Topics, Kafka, dead letters."""
