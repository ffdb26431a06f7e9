"""Students: networks, a table and a decision tree."""
