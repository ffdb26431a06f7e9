"""Mazes in which a point moves: environments, compiled motion and observations."""
