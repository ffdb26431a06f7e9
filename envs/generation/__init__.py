"""Mazes generated from the number of a level.

A level is a seed: with the same generator, the same number is the same maze on every machine, in
every process and thread. Every maze can be solved, and every free cell reaches all others.

mazelib (0.9.16, 2024) has most of these algorithms, but cannot keep that promise: it draws from the
global generators, so that threads change each other's mazes, and its Prim iterates over Python
sets. It has no obstacles of a given density.
"""

from dynamaze.common.deprecation import lazy_exports

from .generator import ALGORITHMS, ENDPOINTS, GeneratedMaze, MazeGenerator

__all__ = ["ALGORITHMS", "ENDPOINTS", "GeneratedMaze", "MazeGenerator"]

__getattr__ = lazy_exports(__name__, {}, renamed={"MazeRecipe": "MazeGenerator"})
