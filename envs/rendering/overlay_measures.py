"""What the overlays of a scene say about each cell, whether it is drawn as pixels, SVG or text.

Here is decided what is drawn where: nothing of an agent's numbers on a wall, where no agent can
be, and no arrow on a goal, where no action is chosen.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from .overlays import NUM_ACTIONS
from .scene import Cell, Scene

LEAST_PROBABLE = 1 / 32  # an action that is less probable gets no arrow
PLANNED_MEMORY = 64  # the most of the planner's updates that are shown
OLDEST = 0.25  # strength of the oldest of them; the newest has 1
TRAIL_LENGTH = 16  # the most dots of a trail that are shown
TRAIL_MEMORY = 4 * TRAIL_LENGTH  # the end of a trail in which they are looked for
PATH_LENGTH = 64  # the most points of a path that are joined


class Levels(NamedTuple):
    """State and action values on one scale from 0 to 1; NaN where nothing is drawn."""

    values: FloatArray | None  # (rows, cols)
    q: FloatArray | None  # (rows, cols, 4)


class Verdict(NamedTuple):
    """What there is to say of a model's belief in walls: in every cell the three sum to 1.

    Certainty of a truth is right, of an untruth wrong; the nearer the probability is to 1/2, the
    more the model is unsure, and where it knows nothing it is nothing else.
    """

    right: FloatArray  # (rows, cols), 0 to 1
    wrong: FloatArray  # (rows, cols), 0 to 1
    unsure: FloatArray  # (rows, cols), 0 to 1


def value_levels(scene: Scene) -> Levels:
    """Put the values, and the action values, on their common scale."""
    overlays, walls = scene.overlays, scene.walls
    values = None if overlays.values is None else np.where(walls, np.nan, overlays.values)
    q = None if overlays.q is None else np.where(walls[..., np.newaxis], np.nan, overlays.q)
    low, high = overlays.value_range or _range([a for a in (values, q) if a is not None])
    return Levels(*(None if a is None else _rescaled(a, low, high) for a in (values, q)))


def best(levels: FloatArray) -> FloatArray:
    """Take the best action's level: (rows, cols, 4) to (rows, cols)."""
    return np.asarray(np.fmax.reduce(levels, axis=2))


def count_levels(counts: FloatArray, walls: BoolArray) -> FloatArray:
    """Put counts on a log scale, log(1 + n): 0 for none or a wall, 1 for the largest."""
    drawn = np.where(walls | np.isnan(counts), 0.0, counts)
    top = float(drawn.max(initial=0.0))
    return np.log1p(drawn) / np.log1p(top) if top > 0 else drawn


def arrows(scene: Scene, policy: FloatArray) -> FloatArray:
    """Take the probabilities that get an arrow, (rows, cols, 4); 0 for the others."""
    shown = np.where(policy >= LEAST_PROBABLE, policy, 0.0)
    shown[scene.walls] = 0.0
    for goal in scene.goals:
        shown[goal] = 0.0
    return shown


def planned_strengths(scene: Scene, planned: IntArray) -> FloatArray:
    """Say how freshly each action of each cell was updated, (rows, cols, 4); 0 for not lately."""
    strengths = np.zeros((*scene.walls.shape, NUM_ACTIONS))
    pairs = planned[-PLANNED_MEMORY:]
    ages = np.linspace(1.0, OLDEST, PLANNED_MEMORY)[: len(pairs)]
    states, actions = pairs[:, 0], pairs[:, 1]
    # Of an update that comes several times the last assignment stays, and it is the newest.
    strengths.reshape(-1, NUM_ACTIONS)[states, actions] = ages[::-1]
    strengths[scene.walls] = 0.0
    return strengths


def verdict(scene: Scene, belief: FloatArray) -> Verdict:
    """Compare a belief with the walls."""
    lead = np.nan_to_num(2.0 * belief - 1.0)  # towards a wall; 0 is unsure
    truth = np.where(scene.walls, lead, -lead)
    return Verdict(np.maximum(truth, 0.0), np.maximum(-truth, 0.0), 1.0 - np.abs(lead))


def recent_trail(scene: Scene) -> list[Cell]:
    """Find the different cells where the agent was last, the newest first, without its own."""
    cells = dict.fromkeys(islice(reversed(scene.trail), TRAIL_MEMORY))
    if scene.agent is not None:
        cells.pop(scene.agent, None)
    return list(islice(cells, TRAIL_LENGTH))


def heading(scene: Scene) -> tuple[float, float]:
    """Find where the agent's eyes look, (down, right): nowhere is (0, 0)."""
    if scene.heading is not None:
        return _direction(*scene.heading)
    return (0, 0) if scene.agent is None or not scene.trail else _step(scene.agent, scene.trail[-1])


def _direction(down: float, right: float) -> tuple[float, float]:
    """Shorten a direction to length 1, by quarters: each has a sprite of its own."""
    length = math.hypot(down, right)
    if not math.isfinite(length):
        raise ValueError(f"heading: ({down}, {right}); expected two finite numbers")
    return (round(4 * down / length) / 4, round(4 * right / length) / 4) if length else (0, 0)


def _step(agent: Cell, before: Cell) -> tuple[int, int]:
    """Find the last step, (0, 0) where the agent made none or was put somewhere else."""
    down, right = int(agent[0] - before[0]), int(agent[1] - before[1])
    return (down, right) if abs(down) + abs(right) == 1 else (0, 0)


def _range(arrays: list[FloatArray]) -> tuple[float, float]:
    """Find the smallest and the largest number; NaN where there is none."""
    lows = [np.fmin.reduce(array, axis=None) for array in arrays]
    highs = [np.fmax.reduce(array, axis=None) for array in arrays]
    return (float(np.fmin.reduce(lows)), float(np.fmax.reduce(highs))) if arrays else (0.0, 0.0)


def _rescaled(array: FloatArray, low: float, high: float) -> FloatArray:
    """Map low to 0 and high to 1, cut off beyond; the middle where there is no range."""
    if not low / 2 < high / 2:
        return np.where(np.isnan(array), np.nan, 0.5)
    # Halves, for the difference of two very large numbers would be infinite.
    inside = np.clip(array, low, high)
    return np.asarray((inside / 2 - low / 2) / (high / 2 - low / 2))
