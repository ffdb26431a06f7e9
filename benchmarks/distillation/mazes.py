"""Mazes for distillation: recipes of several sizes and kinds, whole mazes as questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dynamaze.distill.core.levels import LevelRange
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import Planes, distances_to_goal, query_all_cells

TRAINING = LevelRange(0, 1_000_000)
HELD_OUT = LevelRange(10_000_000, 1_000_000)
"""Levels for training, and those that nothing is trained on."""

ENVIRONMENT = {"id": "DynaMazeGenerated-v0", "size": 11, "observation": "planes"}
"""What a policy of these mazes plays in."""

SIZES = (5, 7, 9, 11, 13, 15)
"""Sides of the mazes that are trained on; none is longer."""

PERFECT = tuple(MazeGenerator(size) for size in SIZES)
LOOPS = tuple(MazeGenerator(size, "prim", loops=0.3) for size in SIZES)
OBSTACLES = tuple(MazeGenerator(size, "obstacles", density=0.3) for size in SIZES)

KINDS = {"perfect": PERFECT, "loops": LOOPS, "obstacles": OBSTACLES}
"""What is trained on, alike often: mazes with one way, with loops, and with random obstacles."""


@dataclass(frozen=True)
class Mazes:
    """Draws mazes of several recipes, in which every free cell is a question.

    A batch is of one recipe, for all mazes of a batch have one shape, and has about as many cells
    whatever their size. With `growing` the larger ones come only as training goes on.
    """

    recipes: tuple[MazeGenerator, ...] = (*PERFECT, *LOOPS, *OBSTACLES)
    levels: LevelRange = TRAINING
    cells: int = 1600
    growing: bool = False

    def __call__(self, rng: np.random.Generator, progress: float) -> Planes:
        """(mazes, 3, rows, cols) planes of mazes drawn at random."""
        recipes = self.recipes
        if self.growing:
            largest = max(recipe.shape for recipe in recipes)
            smallest = min(recipe.shape for recipe in recipes)
            side = smallest[0] + 2 * progress * (largest[0] - smallest[0])
            recipes = tuple(recipe for recipe in recipes if recipe.shape[0] <= side)
        recipe = recipes[int(rng.integers(len(recipes)))]
        count = max(2, self.cells // (recipe.shape[0] * recipe.shape[1]))
        numbers = self.levels.first + rng.integers(self.levels.levels, size=count)
        return query_all_cells(recipe, numbers.tolist())


@dataclass(frozen=True)
class Held:
    """Mazes held out, on which a policy is judged from every cell."""

    planes: Planes  # (mazes, 3, rows, cols)
    shortest: np.ndarray[tuple[int], np.dtype[np.int64]]  # (answers,) steps of the best policy

    @classmethod
    def of(cls, recipe: MazeGenerator, count: int, levels: LevelRange = HELD_OUT) -> Held:
        """The first mazes of some levels."""
        planes = query_all_cells(recipe, range(levels.first, levels.first + count))
        return cls(planes, distances_to_goal(planes)[planes[:, 1] > 0.5])


def held_out_recipes(size: int) -> dict[str, MazeGenerator]:
    """The kinds of mazes, of one size."""
    return {
        "perfect": MazeGenerator(size),
        "loops": MazeGenerator(size, "prim", loops=0.3),
        "obstacles": MazeGenerator(size, "obstacles", density=0.3),
    }
