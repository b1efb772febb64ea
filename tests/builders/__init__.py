"""What is a case built from? Events, rows and streams by intent."""
