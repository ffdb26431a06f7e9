"""What agents stand on: transitions, spaces, features, random numbers, rules."""
