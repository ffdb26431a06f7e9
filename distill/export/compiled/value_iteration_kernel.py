"""Iterations of the value iteration network, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array
from dynamaze.common.compiled import compiled, compiled_sums


class ValueIterationWeights(NamedTuple):
    """Weights of the iterations: a map for each action."""

    reward: Float32Array  # (actions, 18) 3x3 of the walls, then of the goals
    moves: Float32Array  # (actions, 9), each row sums to 1
    bias: Float32Array  # (actions,)
    top: np.float32  # upper bound of values
    sharpness: np.float32  # factor from q to logits


class ValueIterationBuffers(NamedTuple):
    """Work arrays of (rows + 2) * (cols + 2) cells, row after row with a border of one cell."""

    walls: Float32Array  # (cells,) 1 in the border
    goals: Float32Array  # (cells,) 0 in the border
    inside: npt.NDArray[np.int32]  # (cells,) 1 in the maze, 0 in the border
    rewards: Float32Array  # (actions, cells)
    values: Float32Array  # (cells,) in the border those of the nearest cell
    best: Float32Array  # (cells,) largest q so far

    @classmethod
    def make(cls, maps: int, rows: int, cols: int) -> ValueIterationBuffers:
        """Allocate arrays for mazes of one size."""
        cells = (rows + 2) * (cols + 2)
        inside = np.zeros((rows + 2, cols + 2), dtype=np.int32)
        inside[1:-1, 1:-1] = 1
        walls = np.ones(cells, dtype=np.float32)
        goals, values, best = np.zeros((3, cells), dtype=np.float32)
        rewards = np.zeros((maps, cells), dtype=np.float32)
        return cls(walls, goals, inside.ravel(), rewards, values, best)


@compiled_sums
def iterate_values(observation, iterations, weights, work):
    """Run all iterations but the last, whose maps follow from the values that remain in `work`.

    It stops as soon as an iteration changes no value, since no later one would.

    Args:
        observation: (3, rows, cols) planes.
        iterations: at least 1.
        weights: `ValueIterationWeights`.
        work: `ValueIterationBuffers` for mazes of this size; its rewards and values are written.
    """
    rows, cols = observation.shape[1], observation.shape[2]
    wide = cols + 2
    for row in range(rows):
        for col in range(cols):
            at = (row + 1) * wide + col + 1
            work.walls[at] = observation[0, row, col]
            work.goals[at] = observation[2, row, col]
    first, last = wide + 1, wide * (rows + 1) - 1
    _rewards(work, weights, first, last, wide)
    work.values[:] = 0
    # Flat maps with a border: neighbours are at fixed offsets, so that 8 or 16 cells are computed
    # at once. Views instead of indices: an index that may be negative prevents vectorisation.
    size = last - first
    v0 = work.values[first - wide - 1 : last - wide - 1]
    v1 = work.values[first - wide : last - wide]
    v2 = work.values[first - wide + 1 : last - wide + 1]
    v3 = work.values[first - 1 : last - 1]
    v4 = work.values[first:last]
    v5 = work.values[first + 1 : last + 1]
    v6 = work.values[first + wide - 1 : last + wide - 1]
    v7 = work.values[first + wide : last + wide]
    v8 = work.values[first + wide + 1 : last + wide + 1]
    best = work.best[first:last]
    inside = work.inside[first:last]
    for _ in range(iterations - 1):
        for m in range(len(weights.bias)):
            p = weights.moves[m]
            p0, p1, p2, p3, p4, p5, p6, p7, p8 = (
                p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8],
            )  # fmt: skip
            reward = work.rewards[m, first:last]
            for j in range(size):
                around = p0 * v0[j] + p1 * v1[j] + p2 * v2[j] + p3 * v3[j] + p4 * v4[j]
                around += p5 * v5[j] + p6 * v6[j] + p7 * v7[j] + p8 * v8[j]
                q = reward[j] + around
                if m == 0 or q > best[j]:
                    best[j] = q
        changed = 0
        for j in range(size):
            value = min(best[j], weights.top)
            changed += inside[j] * (value != v4[j])
            v4[j] = value
        _widen(work.values, rows, cols)
        if changed == 0:
            break


@compiled_sums
def _rewards(work, weights, first, last, wide):
    """Convolve walls and goals, and add the biases."""
    for m in range(len(weights.bias)):
        reward = work.rewards[m, first:last]
        reward[:] = weights.bias[m]
        for k in range(9):
            there = (k // 3 - 1) * wide + k % 3 - 1
            walls = work.walls[first + there : last + there]
            goals = work.goals[first + there : last + there]
            for j in range(last - first):
                reward[j] += weights.reward[m, k] * walls[j]
                reward[j] += weights.reward[m, 9 + k] * goals[j]


@compiled
def _widen(values, rows, cols):
    """Copy the values of the edge cells into the border."""
    wide = cols + 2
    for row in range(1, rows + 1):
        values[row * wide] = values[row * wide + 1]
        values[row * wide + cols + 1] = values[row * wide + cols]
    for col in range(wide):
        values[col] = values[wide + col]
        values[(rows + 1) * wide + col] = values[rows * wide + col]
