"""Mazes in which a point moves: environments, kernels and observations."""
