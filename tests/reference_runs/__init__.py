"""Reference runs: the rules of production in a plain loop, without Flink. Oracles are in `local/oracles`."""
