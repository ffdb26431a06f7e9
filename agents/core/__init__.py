"""Foundations of the agents: transitions, spaces, features, random numbers, compiled rules."""
