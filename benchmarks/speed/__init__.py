"""How fast everything is, beside what it is compared with."""
