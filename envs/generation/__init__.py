"""Mazes made from a number.

A level is a seed: with the same recipe, the same number is the same maze on every machine, in
every process and thread. Every maze can be solved, and from every free cell all others are reached.

mazelib has most of these algorithms, but cannot keep that promise: it draws from the global
generators (79 of 80 mazes made in two threads differed from those made alone), its Prim goes by
the order of Python's sets, and a maze of 501x501 took it 1.2 s (backtracking), 1.6 s (Prim and
Wilson), 58 s (rooms) and over 90 s (Kruskal); it has no obstacles of a density (0.9.16, 2024).
"""

from .recipe import ALGORITHMS, ENDPOINTS, GeneratedMaze, MazeRecipe

__all__ = ["ALGORITHMS", "ENDPOINTS", "GeneratedMaze", "MazeRecipe"]
