"""Results of the demo, read from topics, databases, index and mailbox; `local.demo.checks` compares them."""
