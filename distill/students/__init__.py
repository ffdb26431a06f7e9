"""Students: small networks, tables and trees that learn what a teacher would do."""
