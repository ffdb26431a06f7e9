"""Value iteration on the agent's own map, compiled."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.compiled import compiled, compiled_sums
from dynamaze.common.map_memory import BUMPED, move_targets

from ...core.map_state import (
    Grid,
    checked_cells,
    checked_grid,
    compiled_map_of,
    known_grid,
    observe,
)
from ...core.observations import AGE_FEATURES
from ..common import operations as ops
from ..common.exported_policy import ExportedPolicy
from .value_iteration import widen


class PlanWeights(NamedTuple):
    """Weights of a student of kind "map_value_iteration"."""

    reading: Float32Array  # (2, 12) of the value of ending in a cell, and of the cost of a step
    moves: Float32Array  # (actions, 9), each row sums to 1
    costs: Float32Array  # (actions, 9) weights of the cells from which a step's cost is read
    bias: np.float32
    sharpness: np.float32  # factor from q to logits


class PlanBuffers(NamedTuple):
    """Work arrays of (rows + 2) * (cols + 2) cells, row after row with a border of one cell."""

    ending: Float32Array  # (cells,) value of ending there
    stepping: Float32Array  # (cells,) reading of the cost of a step
    values: Float32Array  # (cells,) in the border those of the nearest cell
    best: Float32Array  # (cells,) largest q so far
    q: Float32Array  # (cells,)
    rewards: Float32Array  # (actions, cells)


@compiled_sums
def read_map(states, run, rows, cols, weights, work):
    """Write the readings of one run's map.

    Args:
        states: (runs, numbers), see `map_state`.
        run: index of the run.
        rows: of the maze.
        cols: of the maze.
        weights: `PlanWeights`.
        work: `PlanBuffers`; its `ending` and `stepping` are written.
    """
    memory, wide = compiled_map_of(states), cols + 2
    work.stepping[:] = weights.reading[1, BUMPED * AGE_FEATURES]  # the edge: of age 0
    for row in range(rows):
        for col in range(cols):
            cell, at = row * cols + col, (row + 1) * wide + col + 1
            first = AGE_FEATURES * int(memory.event[run, cell])
            age = memory.clock[run] - memory.time[run, cell]
            short, long = np.float32(math.log1p(age)) / np.float32(6), age / np.float32(200)
            u, w = weights.reading[0], weights.reading[1]
            work.ending[at] = u[first] + u[first + 1] * short + u[first + 2] * long
            work.stepping[at] = w[first] + w[first + 1] * short + w[first + 2] * long


@compiled_sums
def plan_on_map(rows, cols, iterations, weights, work):
    """Run all iterations but the last, whose q follows from the values that remain in `work`.

    It stops as soon as an iteration changes no value, since no later one would.

    Args:
        rows: of the maze.
        cols: of the maze.
        iterations: at least 1.
        weights: `PlanWeights`.
        work: `PlanBuffers` after `read_map`; its other arrays are written.
    """
    wide = cols + 2
    first, last = wide + 1, wide * (rows + 1) - 1
    _step_rewards(work, weights, first, last, wide)
    for at in range(len(work.values)):
        work.values[at] = work.ending[at]
    widen(work.values, rows, cols)
    best, q = work.best[first:last], work.q[first:last]
    for _ in range(iterations - 1):
        for action in range(len(weights.moves)):
            rewards = work.rewards[action, first:last]
            for j in range(len(q)):
                q[j] = rewards[j]
            _add_weighted(weights.moves[action], work.values, first, wide, q)
            for j in range(len(q)):
                best[j] = q[j] if action == 0 or q[j] > best[j] else best[j]
        changed = 0
        for row in range(rows):
            for at in range((row + 1) * wide + 1, (row + 1) * wide + 1 + cols):
                value = max(work.ending[at], work.best[at])
                changed += value != work.values[at]
                work.values[at] = value
        widen(work.values, rows, cols)
        if changed == 0:
            break


@compiled_sums
def _step_rewards(work, weights, first, last, wide):
    """Write the rewards of all steps: minus the softplus of the read costs."""
    for action in range(len(weights.costs)):
        rewards = work.rewards[action, first:last]
        rewards[:] = weights.bias
        _add_weighted(weights.costs[action], work.stepping, first, wide, rewards)
        for j in range(len(rewards)):
            # log(1 + exp(x)), without overflow
            above = max(rewards[j], np.float32(0))
            rewards[j] = -(above + np.float32(math.log1p(math.exp(-abs(rewards[j])))))


@compiled_sums
def _add_weighted(kernel, cells, first, wide, into):
    """Add a weighted sum of 3x3 cells; weights of 0, all but one of an exact move, are skipped."""
    for k in range(len(kernel)):
        weight = kernel[k]
        if weight != 0:
            begins = first + (k // 3 - 1) * wide + k % 3 - 1
            there = cells[begins : begins + len(into)]
            for j in range(len(into)):
                into[j] += weight * there[j]


@compiled
def map_logits_at(at, wide, weights, work, logits):
    """Write the (actions,) logits after the last iteration at one cell of the work arrays."""
    for action in range(len(logits)):
        q = work.rewards[action, at]
        for k in range(9):
            q += weights.moves[action, k] * work.values[at + (k // 3 - 1) * wide + k % 3 - 1]
        logits[action] = weights.sharpness * q


@compiled_sums
def fill_map_rows(states, targets, observations, iterations, weights, work, rows, cols, logits):
    """Record an observation of each run in its map, and write the logits.

    Args:
        states: (runs, numbers), see `map_state`; changed in place.
        targets: (cells, actions) of `move_targets`.
        observations: (runs, 3) float32.
        iterations: at least 1.
        weights: `PlanWeights`.
        work: `PlanBuffers`.
        rows: of the maze.
        cols: of the maze.
        logits: (runs, actions) float32, written.
    """
    observe(states, targets, observations)
    for run in range(len(observations)):
        read_map(states, run, rows, cols, weights, work)
        plan_on_map(rows, cols, iterations, weights, work)
        cell = int(states[run, states.shape[1] - 1]) - 1
        at = (cell // cols + 1) * (cols + 2) + cell % cols + 1
        map_logits_at(at, cols + 2, weights, work, logits[run])


class MapPolicy(ExportedPolicy):
    """Policy of a student that plans on its own map, without torch.

    It stops value iteration as soon as an iteration changes nothing. It has work arrays of its own:
    not for two threads at once.

    Args:
        operation: of the student.

    Attributes:
        grid: (rows, cols) of the maze in which it acts; None until it is set, which clears the
            maps.
    """

    def __init__(self, operation: ops.MapValueIteration) -> None:
        super().__init__(None, 0)
        self.memory: Float32Array | None = None
        self.num_actions, self.observation_shape = len(operation.moves), operation.observation_shape
        self._operation = operation
        self._weights = PlanWeights(
            operation.reading,
            operation.moves,
            operation.costs,
            np.float32(operation.bias),
            np.float32(operation.sharpness),
        )
        if operation.grid is not None:
            self.grid = operation.grid

    @property
    def grid(self) -> Grid | None:
        """(rows, cols) of the maze in which it acts; None until it is set."""
        return self._operation.grid

    @grid.setter
    def grid(self, grid: Any) -> None:
        self._grid = checked_grid(grid)
        self._operation = replace(self._operation, grid=self._grid)
        self.width, self.memory = self._operation.memory_width, None
        cells = (self._grid[0] + 2) * (self._grid[1] + 2)
        self._targets = move_targets(self._grid)
        ending, stepping, values, best, q = np.zeros((5, cells), dtype=np.float32)
        rewards = np.zeros((self.num_actions, cells), dtype=np.float32)
        self._work = PlanBuffers(ending, stepping, values, best, q, rewards)

    @property
    def values(self) -> Float32Array:
        """(rows, cols) values of all cells of the latest run, after the latest decision."""
        rows, cols = known_grid(self.grid)
        return self._work.values.reshape(rows + 2, cols + 2)[1:-1, 1:-1].copy()

    def operations(self) -> ops.Operations:
        """Return the operations of the student."""
        return (self._operation,)

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases of the student."""
        return self._operation.num_parameters

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one decision; it does fewer where it stops early."""
        return ops.multiply_adds(self.operations(), observation_shape)

    def _rows(self, observations: Any) -> FloatArray:
        rows, cols = known_grid(self.grid)
        seen = checked_cells(observations, (rows, cols))
        states = self.recall(len(seen))
        logits = np.zeros((len(seen), self.num_actions), dtype=np.float32)
        iterations = self._operation.iterations_for
        fill_map_rows(
            states, self._targets, seen, iterations, self._weights, self._work, rows, cols, logits
        )
        self.memory = states
        return logits.astype(np.float64)
