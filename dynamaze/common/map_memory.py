"""Map memory of agents on a grid: the last event in each cell, and its age.

By cell it holds what Dyna-Q+ holds by pair of state and action (Sutton & Barto 2018, section 8.3):
the latest outcome, and the time since. It outlives episodes, so that it is a map of a maze that may
have changed since. Agents plan with it, and students read it.

A cell is the number of its row and column in row-major order. Records hold a batch of runs, of
which a single one is a batch of 1; rules of one run take its index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import check_entries, checked_count, checked_integer, shown

NEVER, ENTERED, REWARDED, BUMPED = range(4)
"""Events: none yet; the agent was in the cell; it entered it with a reward above 0; a move into the
cell left the agent in place."""

NUM_EVENTS = 4

MAZE_MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Displacements (rows, cols) of the actions up, right, down and left."""

OUTSIDE = -1
"""Neighbour beyond the edge of the grid."""


class MapMemory(NamedTuple):
    """Map memories of a batch of runs, changed in place by compiled rules."""

    event: npt.NDArray[np.int8]  # (runs, cells) last event in each cell
    time: IntArray  # (runs, cells) clock at that event; 0 if there was none
    clock: IntArray  # (runs,) moves so far

    @classmethod
    def empty(cls, cells: int, runs: int = 1) -> MapMemory:
        """Return memories without events.

        Raises:
            ValueError: for a number below 1, or too many cells.
        """
        shape = (checked_count("runs", runs), checked_count("cells", cells, high=2**27))
        check_entries(f"runs={runs}, cells={cells}", *shape)
        return cls(
            np.zeros(shape, dtype=np.int8),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape[0], dtype=np.int64),
        )

    @property
    def age(self) -> IntArray:
        """(runs, cells) moves since the last event; since the beginning if there was none."""
        age: IntArray = self.clock[:, None] - self.time
        return age


def move_targets(
    shape: tuple[int, int], displacements: Sequence[tuple[int, int]] = MAZE_MOVES
) -> IntArray:
    """Return (cells, actions) the cell to which each action moves; `OUTSIDE` beyond the edge.

    Args:
        shape: rows and columns of the grid.
        displacements: (rows, cols) of each action.

    Raises:
        ValueError, TypeError: for a side below 1, no displacements, or others than whole numbers.
    """
    try:
        rows, cols = shape
        moves = [(row, col) for row, col in displacements]
    except (TypeError, ValueError):
        raise ValueError(
            f"shape={shown(shape)}, displacements={shown(displacements)}; expected (rows, cols), "
            "and (rows, cols) of each action"
        ) from None
    rows, cols = checked_count("shape", rows), checked_count("shape", cols)
    check_entries(f"shape={shown(shape)}", rows, cols, max(len(moves), 1))
    if not moves:
        raise ValueError(f"displacements={shown(displacements)}; expected at least one")
    down = np.array([checked_integer("displacements", row, -rows, rows) for row, _ in moves])
    right = np.array([checked_integer("displacements", col, -cols, cols) for _, col in moves])
    row, col = np.divmod(np.arange(rows * cols)[:, None], cols)
    row, col = row + down, col + right
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    return np.where(inside, row * cols + col, OUTSIDE)


@compiled
def record_presence(memory, run, cell):
    """Record that the agent is in a cell, as at the beginning of an episode.

    A cell that gave a reward when it was entered remains a rewarded one.
    """
    if memory.event[run, cell] != REWARDED:
        memory.event[run, cell] = ENTERED
    memory.time[run, cell] = memory.clock[run]


@compiled
def record_move(memory, targets, run, cell, action, reward, next_cell):
    """Record a move of one run.

    A move that leaves the agent in place bumped into its target. The edge needs no record.

    Args:
        memory: the record.
        targets: (cells, actions) of `move_targets`.
        run: index of the run.
        cell: cell before the move.
        action: the action.
        reward: the reward.
        next_cell: cell after the move, before any reset.
    """
    record_presence(memory, run, cell)
    memory.clock[run] += 1
    target = targets[cell, action]
    if next_cell == cell and target != cell:
        if target != OUTSIDE:
            memory.event[run, target] = BUMPED
            memory.time[run, target] = memory.clock[run]
        record_presence(memory, run, cell)
    else:
        memory.event[run, next_cell] = REWARDED if reward > 0.0 else ENTERED
        memory.time[run, next_cell] = memory.clock[run]


@compiled
def contradicts(memory, targets, run, cell, action, reward, next_cell):
    """Return True if a move ended otherwise than the map says; without an event it says nothing.

    To be called before the move is recorded; the arguments are those of `record_move`.
    """
    target = targets[cell, action]
    if target == OUTSIDE or memory.event[run, target] == NEVER:
        return False
    if memory.event[run, target] == BUMPED:
        return next_cell != cell
    return next_cell != target or (reward > 0.0) != (memory.event[run, target] == REWARDED)


@compiled
def record_presences(memory, cells, where):
    """Record the present cells, (runs,), of the runs of a mask, (runs,) bool."""
    for run in range(cells.size):
        if where[run]:
            record_presence(memory, run, cells[run])


@compiled
def record_moves(memory, targets, cells, actions, rewards, next_cells):
    """Record a move of every run; see `record_move`. The arguments are (runs,) arrays."""
    for run in range(cells.size):
        record_move(memory, targets, run, cells[run], actions[run], rewards[run], next_cells[run])


def map_planes(memory: MapMemory, shape: tuple[int, int]) -> tuple[BoolArray, FloatArray]:
    """Return the memories as a network reads them: with an edge, which reads as freshly bumped.

    Args:
        memory: the record.
        shape: rows and columns of the grid.

    Returns:
        (runs, events, rows + 2, cols + 2) bool, one-hot last events, and (runs, rows + 2, cols + 2)
        their ages, 0 at the edge.
    """
    runs, (rows, cols) = len(memory.clock), shape
    last = np.full((runs, rows + 2, cols + 2), BUMPED, dtype=np.int8)
    age = np.zeros(last.shape)
    inside = (slice(None), slice(1, -1), slice(1, -1))
    last[inside] = memory.event.reshape(runs, rows, cols)
    age[inside] = memory.age.reshape(runs, rows, cols)
    return last[:, None] == np.arange(NUM_EVENTS, dtype=np.int8)[:, None, None], age
