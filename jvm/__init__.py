"""What can only run inside the JVM? The guarded JSON format, sliding features, gathered parts; compiled here."""
