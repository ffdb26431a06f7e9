"""Levels and strengths of the overlays in each cell, shared by frames, SVG and text.

An agent's numbers are not drawn on walls, where no agent can be; values and policy arrows not on
goals either, where no action is chosen.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from .scene import Scene, check_cells

LEAST_PROBABLE = 1 / 32  # less probable actions get no arrow
PLANNED_MEMORY = 64  # largest number of planning updates shown
OLDEST = 0.25  # strength of the oldest of these updates; the newest has 1
TRAIL_LENGTH = 16  # largest number of dots of a trail
TRAIL_MEMORY = 4 * TRAIL_LENGTH  # number of last steps from which the dots are taken
PATH_LENGTH = 64  # largest number of points of a path


class ValueLevels(NamedTuple):
    """State and action values on one scale from 0 to 1; NaN where nothing is drawn."""

    values: FloatArray | None  # (rows, cols)
    q: FloatArray | None  # (rows, cols, 4)


class BeliefComparison(NamedTuple):
    """Comparison of predicted wall probabilities with the real walls; the three sum to 1.

    A probability of 1/2, or NaN where the model predicts nothing, counts as unsure only.
    """

    correct: FloatArray  # (rows, cols), 0 to 1
    wrong: FloatArray  # (rows, cols), 0 to 1
    unsure: FloatArray  # (rows, cols), 0 to 1


def value_levels(scene: Scene) -> ValueLevels:
    """Scale state values and action values to [0, 1] by their common range."""
    arrays = _drawn_values(scene)
    low, high = value_range(scene)
    return ValueLevels(*(None if a is None else _rescaled(a, low, high) for a in arrays))


def value_range(scene: Scene) -> tuple[float, float]:
    """Return the ends (low, high) of the color scale of values; NaN if there is no value."""
    drawn = [array for array in _drawn_values(scene) if array is not None]
    return scene.overlays.value_range or _range(drawn)


def _drawn_values(scene: Scene) -> tuple[FloatArray | None, FloatArray | None]:
    """Return the state values and the action values, NaN on walls and goals."""
    values, q = scene.overlays.values, scene.overlays.q
    if values is None and q is None:
        return None, None
    check_cells("goals", scene.goals, scene.walls.shape)
    nothing = scene.walls.copy()
    for goal in scene.goals:
        nothing[goal] = True
    return (
        None if values is None else np.where(nothing, np.nan, values),
        None if q is None else np.where(nothing[..., np.newaxis], np.nan, q),
    )


def best_levels(levels: FloatArray) -> FloatArray:
    """Return the best action's level, (rows, cols), of levels (rows, cols, 4)."""
    return np.asarray(np.fmax.reduce(levels, axis=2))


def count_levels(counts: FloatArray, walls: BoolArray) -> FloatArray:
    """Scale counts n by log(1 + n) to [0, 1]: 0 for no count or a wall, 1 for the largest."""
    drawn = np.where(walls | np.isnan(counts), 0.0, counts)
    top = float(drawn.max(initial=0.0))
    return np.log1p(drawn) / np.log1p(top) if top > 0 else drawn


def arrow_probabilities(scene: Scene, policy: FloatArray) -> FloatArray:
    """Return the probabilities that get an arrow, (rows, cols, 4), and 0 for the others."""
    shown = np.where(policy >= LEAST_PROBABLE, policy, 0.0)
    shown[scene.walls] = 0.0
    for goal in scene.goals:
        shown[goal] = 0.0
    return shown


def planned_strengths(scene: Scene, planned: IntArray) -> FloatArray:
    """Return (rows, cols, 4): strengths in (0, 1] of recently updated action values, else 0."""
    strengths = np.zeros((*scene.walls.shape, NUM_ACTIONS))
    pairs = planned[-PLANNED_MEMORY:]
    ages = np.linspace(1.0, OLDEST, PLANNED_MEMORY)[: len(pairs)]
    states, actions = pairs[:, 0], pairs[:, 1]
    # Repeated pairs: NumPy keeps the last assignment, which is the newest update.
    strengths.reshape(-1, NUM_ACTIONS)[states, actions] = ages[::-1]
    strengths[scene.walls] = 0.0
    return strengths


def compare_belief(scene: Scene, belief: FloatArray) -> BeliefComparison:
    """Compare predicted wall probabilities (rows, cols) with the walls of a scene."""
    lead = np.nan_to_num(2.0 * belief - 1.0)  # in [-1, 1]: 1 predicts a wall, 0 is unsure
    agreement = np.where(scene.walls, lead, -lead)
    return BeliefComparison(
        np.maximum(agreement, 0.0), np.maximum(-agreement, 0.0), 1.0 - np.abs(lead)
    )


def unknown_cells(scene: Scene) -> BoolArray:
    """Return the cells of which the belief knows nothing, (rows, cols); never the agent's own."""
    belief = scene.overlays.belief
    unknown = np.zeros(scene.walls.shape, dtype=np.bool_) if belief is None else np.isnan(belief)
    if scene.agent is not None:
        unknown[scene.agent] = False
    return unknown


def recent_trail(scene: Scene) -> list[Cell]:
    """Return the distinct cells visited last, newest first, without the agent's own cell."""
    cells = dict.fromkeys(islice(reversed(scene.trail), TRAIL_MEMORY))
    if scene.agent is not None:
        cells.pop(scene.agent, None)
    return list(islice(cells, TRAIL_LENGTH))


def heading(scene: Scene) -> tuple[float, float]:
    """Return the direction (down, right) in which the agent faces; (0, 0) for none."""
    if scene.heading is not None:
        return _direction(*scene.heading)
    return (0, 0) if scene.agent is None or not scene.trail else _step(scene.agent, scene.trail[-1])


def _direction(down: float, right: float) -> tuple[float, float]:
    """Normalise a direction to length 1, rounded to quarters: each needs a sprite."""
    length = math.hypot(down, right)
    if not math.isfinite(length):
        raise ValueError(f"heading: ({down}, {right}); expected two finite numbers")
    return (round(4 * down / length) / 4, round(4 * right / length) / 4) if length else (0, 0)


def _step(agent: Cell, before: Cell) -> tuple[int, int]:
    """Return the last step (down, right); (0, 0) for no step or a jump to another cell."""
    down, right = int(agent[0] - before[0]), int(agent[1] - before[1])
    return (down, right) if abs(down) + abs(right) == 1 else (0, 0)


def _range(arrays: list[FloatArray]) -> tuple[float, float]:
    """Return the smallest and the largest number, ignoring NaN; NaN if there is none."""
    lows = [np.fmin.reduce(array, axis=None) for array in arrays]
    highs = [np.fmax.reduce(array, axis=None) for array in arrays]
    return (float(np.fmin.reduce(lows)), float(np.fmax.reduce(highs))) if arrays else (0.0, 0.0)


def _rescaled(array: FloatArray, low: float, high: float) -> FloatArray:
    """Map [low, high] to [0, 1] and clip; 0.5 if the range is empty."""
    if not low / 2 < high / 2:
        return np.where(np.isnan(array), np.nan, 0.5)
    # Halves: the difference of two very large numbers would overflow.
    inside = np.clip(array, low, high)
    return np.asarray((inside / 2 - low / 2) / (high / 2 - low / 2))
