"""Cheapest paths on a map memory: optimism about what is unknown, and doubt about what is old.

The cost of a path is its number of moves, plus what it costs to end there: nothing at a known goal,
more in a cell that was never seen, still more in one that was entered, less with each move since.
A wall may be walked through at a cost that falls to 0 with its age. So the agent walks to the goal
it knows, explores the nearest unknown cell while it knows none, looks at old cells once all are
known, and tries a wall again where its doubt in it is worth less than the detour.

Paths are found by Dijkstra's algorithm (1959) backwards from all ends at once. Costs are whole
numbers: ties are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.configuration import set_checked
from dynamaze.common.map_memory import BUMPED, NEVER, OUTSIDE, REWARDED, MapMemory
from dynamaze.common.validation import checked_integer

from ..core.priority_queue import Queue, raise_to, take

MOST_COST = 10**9
"""Largest cost of a setting: sums of floats are exact far beyond."""


@dataclass(frozen=True, kw_only=True)
class MapCosts:
    """Costs of paths, in moves.

    Raises:
        ValueError: for a number below 0 or above 10^9; TypeError for anything but whole numbers.
    """

    unknown: int = 1000
    """Cost of ending in a cell without an event."""
    entered: int = 3000
    """Cost of ending in a cell that was just entered; less by 1 with each move since."""
    wall: int = 400
    """Cost of walking into a cell that was just bumped into; less by 1 with each move, above 0."""

    def __post_init__(self) -> None:
        set_checked(
            self,
            unknown=checked_integer("unknown", self.unknown, 0, MOST_COST),
            entered=checked_integer("entered", self.entered, 0, MOST_COST),
            wall=checked_integer("wall", self.wall, 0, MOST_COST),
        )


class PathPlanner(NamedTuple):
    """Record of the planner, for compiled code."""

    targets: IntArray  # (cells, actions) cell to which each action moves; OUTSIDE beyond the edge
    sources: IntArray  # (cells, actions) cell from which each action comes; OUTSIDE beyond the edge
    unknown: int
    entered: int
    wall: int
    cost: FloatArray  # (cells,) cost of the cheapest path from each cell, of the last planning
    queue: Queue  # cells, the cheapest first

    @classmethod
    def of(cls, targets: IntArray, costs: MapCosts = MapCosts()) -> PathPlanner:
        """Return the planner for a grid.

        Args:
            targets: (cells, actions) of `dynamaze.common.map_memory.move_targets`.
            costs: costs of paths.
        """
        sources = np.full_like(targets, OUTSIDE)
        cells, actions = np.nonzero(targets != OUTSIDE)
        sources[targets[cells, actions], actions] = cells
        size = len(targets)
        return cls(
            targets,
            sources,
            costs.unknown,
            costs.entered,
            costs.wall,
            np.zeros(size),
            Queue.empty(size),
        )


@compiled
def plan_paths(planner, memory, run):
    """Write the cost of the cheapest path from each cell of one run to `planner.cost`.

    Args:
        planner: the record; its queue is empty before and after.
        memory: `MapMemory`.
        run: index of the run.
    """
    cost, queue = planner.cost, planner.queue
    for cell in range(cost.size):
        cost[cell] = end_cost(planner, memory, run, cell)
        if cost[cell] < np.inf:
            raise_to(queue, cell, -cost[cell])
    while queue.size[0] > 0:
        cell = take(queue)
        through = cost[cell] + move_cost(planner, memory, run, cell)
        for action in range(planner.sources.shape[1]):
            source = planner.sources[cell, action]
            # an episode ends in a goal: no path leads on from there
            if source == OUTSIDE or memory.event[run, source] == REWARDED:
                continue
            if through < cost[source]:
                cost[source] = through
                raise_to(queue, source, -through)


@compiled
def end_cost(planner, memory, run, cell):
    """Return the cost of a path that ends in a cell; infinite where it cannot."""
    event = memory.event[run, cell]
    if event == REWARDED:
        return 0.0
    if event == NEVER:
        return float(planner.unknown)
    if event == BUMPED:
        return np.inf
    # Negative after a long time: an old cell is then looked at although a goal is known.
    return float(planner.entered - (memory.clock[run] - memory.time[run, cell]))


@compiled
def move_cost(planner, memory, run, cell):
    """Return the cost of a move into a cell."""
    if memory.event[run, cell] != BUMPED:
        return 1.0
    return 1.0 + max(0, planner.wall - (memory.clock[run] - memory.time[run, cell]))


@compiled
def action_cost(planner, memory, run, cell, action):
    """Return the cost of the cheapest path that begins with an action, after `plan_paths`."""
    target = planner.targets[cell, action]
    if target == OUTSIDE:
        return np.inf
    return move_cost(planner, memory, run, target) + planner.cost[target]


@compiled
def mark_best_actions(planner, memory, run, cell, best):
    """Write to `best`, (actions,) bool, which actions begin a cheapest path from a cell.

    All do where no action leads to any cell, as in a grid of a single one.
    """
    least = np.inf
    for action in range(best.size):
        least = min(least, action_cost(planner, memory, run, cell, action))
    for action in range(best.size):
        best[action] = action_cost(planner, memory, run, cell, action) == least


@compiled
def mark_best_at(planner, memory, cells, best):
    """Write the best actions of every run in its present cell.

    Args:
        planner: the record.
        memory: `MapMemory` of all runs.
        cells: (runs,) the present cells.
        best: (runs, actions) bool, the result.
    """
    for run in range(cells.size):
        plan_paths(planner, memory, run)
        mark_best_actions(planner, memory, run, cells[run], best[run])


@compiled
def mark_best_everywhere(planner, memory, best):
    """Write the best actions of every run in every cell: (runs, cells, actions) bool."""
    for run in range(best.shape[0]):
        plan_paths(planner, memory, run)
        for cell in range(best.shape[1]):
            mark_best_actions(planner, memory, run, cell, best[run, cell])


@compiled
def write_path_costs(planner, memory, cells, costs):
    """Write the costs of the cheapest paths from some cells of run 0: (batch, actions)."""
    plan_paths(planner, memory, 0)
    for i in range(cells.size):
        for action in range(costs.shape[1]):
            costs[i, action] = action_cost(planner, memory, 0, cells[i], action)


def path_costs(planner: PathPlanner, memory: MapMemory, cells: IntArray) -> FloatArray:
    """Return (batch, actions) costs of the cheapest paths that begin with each action.

    Args:
        planner: the record.
        memory: of a single run.
        cells: (batch,) int64 first cells of the paths.
    """
    costs = np.empty((len(cells), planner.targets.shape[1]))
    write_path_costs(planner, memory, cells, costs)
    return costs


def best_actions_at(planner: PathPlanner, memory: MapMemory, cells: IntArray) -> BoolArray:
    """Return (runs, actions) bool, the best actions of every run in its present cell, (runs,)."""
    best = np.zeros((len(cells), planner.targets.shape[1]), dtype=np.bool_)
    mark_best_at(planner, memory, np.ascontiguousarray(cells, dtype=np.int64), best)
    return best


def best_actions_everywhere(planner: PathPlanner, memory: MapMemory) -> BoolArray:
    """Return (runs, cells, actions) bool, the best actions of every run in every cell.

    They are meant for cells that are believed free, those whose last event is not a bump.
    """
    best = np.zeros((*memory.event.shape, planner.targets.shape[1]), dtype=np.bool_)
    mark_best_everywhere(planner, memory, best)
    return best


@compiled
def fill_path_lengths(planner, memory, best, lengths):
    """Write how many moves the cheapest path from each cell has, the first always among them.

    Args:
        planner: the record.
        memory: `MapMemory`.
        best: (runs, cells, actions) bool, the best actions.
        lengths: (runs, cells) int64, written.
    """
    for run in range(lengths.shape[0]):
        plan_paths(planner, memory, run)
        lengths[run] = lengths.shape[1]
        changed = True
        while changed:
            changed = False
            for cell in range(lengths.shape[1]):
                for action in range(best.shape[2]):
                    target = planner.targets[cell, action]
                    if not best[run, cell, action] or target == OUTSIDE:
                        continue
                    ends = planner.cost[target] == end_cost(planner, memory, run, target)
                    length = 1 if ends else 1 + lengths[run, target]
                    if length < lengths[run, cell]:
                        lengths[run, cell] = length
                        changed = True


def path_lengths(planner: PathPlanner, memory: MapMemory, best: BoolArray) -> IntArray:
    """Return (runs, cells) numbers of moves of the cheapest paths, at least 1.

    Args:
        planner: the record.
        memory: the record of all runs.
        best: result of `best_actions_everywhere`.
    """
    lengths = np.zeros(memory.event.shape, dtype=np.int64)
    fill_path_lengths(planner, memory, best, lengths)
    return lengths
