"""What does a rule's condition mean? Grammar, units, what can never or always be true."""
