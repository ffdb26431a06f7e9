"""Mazes generated from the number of a level.

A level is a seed: with the same generator, the same number is the same maze on every machine, in
every process and thread. Every maze can be solved, and every free cell reaches all others.

mazelib has most of these algorithms, but cannot keep that promise: it draws from the global
generators (79 of 80 mazes made in two threads differed from those made alone), its Prim iterates
over Python sets, and a maze of 501x501 took it 1.2 s (backtracking), 1.6 s (Prim and Wilson), 58 s
(rooms) and over 90 s (Kruskal); it has no obstacles of a given density (0.9.16, 2024).
"""

from dynamaze.common.deprecation import lazy_exports

from .generator import ALGORITHMS, ENDPOINTS, GeneratedMaze, MazeGenerator

__all__ = ["ALGORITHMS", "ENDPOINTS", "GeneratedMaze", "MazeGenerator"]

__getattr__ = lazy_exports(__name__, {}, renamed={"MazeRecipe": "MazeGenerator"})
