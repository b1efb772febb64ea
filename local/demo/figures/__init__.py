"""What is in topics, databases, index and mailbox now?"""
