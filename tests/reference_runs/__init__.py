"""Expected results of the tests: plain loops, and oracles written from a specification."""
