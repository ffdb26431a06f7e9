"""Iterations of the value iteration network, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array
from dynamaze.common.compiled import compiled, compiled_sums


class IterationWeights(NamedTuple):
    """Weights of the iterations: a map for each action."""

    reward: Float32Array  # (actions, 18) 3x3 of the walls, then of the goals
    moves: Float32Array  # (actions, 9), each row sums to 1
    bias: Float32Array  # (actions,)
    top: np.float32  # upper bound of values
    sharpness: np.float32  # factor from q to logits


class IterationBuffers(NamedTuple):
    """Work arrays of (rows + 2) * (cols + 2) cells, row after row with a border of one cell."""

    walls: Float32Array  # (cells,) 1 in the border
    inside: npt.NDArray[np.int32]  # (cells,) 1 in the maze, 0 in the border
    goals: Float32Array  # (cells,) 0 in the border
    values: Float32Array  # (cells,) in the border those of the nearest cell
    best: Float32Array  # (cells,) largest q so far
    rewards: Float32Array  # (actions, cells)


@compiled_sums
def iterate_values(rows, cols, iterations, weights, work):
    """Run all iterations but the last, whose maps follow from the values that remain in `work`.

    It stops as soon as an iteration changes no value, since no later one would.

    Args:
        rows: of the maze.
        cols: of the maze.
        iterations: at least 1.
        weights: `IterationWeights`.
        work: `IterationBuffers` after `load_maze`; its rewards and values are written.
    """
    wide = cols + 2
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
        widen(work.values, rows, cols)
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
def widen(values, rows, cols):
    """Copy the values of the edge cells into the border."""
    wide = cols + 2
    for row in range(1, rows + 1):
        values[row * wide] = values[row * wide + 1]
        values[row * wide + cols + 1] = values[row * wide + cols]
    for col in range(wide):
        values[col] = values[wide + col]
        values[(rows + 1) * wide + col] = values[rows * wide + col]


@compiled
def logits_at(at, wide, weights, work, logits):
    """Write the (actions,) logits after the last iteration at one cell of the work arrays."""
    for action in range(len(logits)):
        q = work.rewards[action, at]
        for k in range(9):
            there = at + (k // 3 - 1) * wide + k % 3 - 1
            q += weights.moves[action, k] * work.values[there]
        logits[action] = weights.sharpness * q


def new_buffers(actions: int, rows: int, cols: int) -> Float32Array:
    """Return the numbers of the `IterationBuffers` for mazes of one size, one after another."""
    cells = (rows + 2) * (cols + 2)
    units = np.zeros((5 + actions) * cells, dtype=np.float32)
    units[:cells] = 1
    inside = units[cells : 2 * cells].view(np.int32).reshape(rows + 2, cols + 2)
    inside[1:-1, 1:-1] = 1
    return units


@compiled
def weights_at(weights, at, actions):
    """Return the `IterationWeights` from `at` on, in the order of their fields."""
    moves = at + 18 * actions
    bias = moves + 9 * actions
    return IterationWeights(
        weights[at:moves].reshape(actions, 18),
        weights[moves:bias].reshape(actions, 9),
        weights[bias : bias + actions],
        weights[bias + actions],
        weights[bias + actions + 1],
    )


@compiled
def buffers_at(units, at, actions, rows, cols):
    """Return the `IterationBuffers` from `at` on, in the order of their fields."""
    cells = (rows + 2) * (cols + 2)
    return IterationBuffers(
        units[at : at + cells],
        units[at + cells : at + 2 * cells].view(np.int32),
        units[at + 2 * cells : at + 3 * cells],
        units[at + 3 * cells : at + 4 * cells],
        units[at + 4 * cells : at + 5 * cells],
        units[at + 5 * cells : at + (5 + actions) * cells].reshape(actions, cells),
    )


@compiled
def load_maze(flat, rows, cols, work):
    """Copy the walls and goals of the (3 * rows * cols,) numbers of an observation."""
    wide = cols + 2
    goals = 2 * rows * cols
    for row in range(rows):
        for col in range(cols):
            at = (row + 1) * wide + col + 1
            work.walls[at] = flat[row * cols + col]
            work.goals[at] = flat[goals + row * cols + col]
