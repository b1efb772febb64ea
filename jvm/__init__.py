"""What can only run inside the JVM? The guarded JSON format and the sliding features, and how they are compiled."""
