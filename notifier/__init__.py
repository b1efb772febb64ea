"""How do notifications reach people? Each as an e-mail, over SMTP, once."""

NAME = "notifier"
"""Of its consumer group behind the prefix, of its folder in the stack's state, and in `rejected_by`."""
