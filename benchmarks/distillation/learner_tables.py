"""Table learner as a teacher: optimistic Dyna-Q with dynamic programming, along others' runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.latest import LatestOutcome
from dynamaze.agents.planning.certainty_equivalence import DynamicProgramming
from dynamaze.agents.values.table import TableValues
from dynamaze.benchmarks.distillation.learner_runs import Labels, MapTeacher
from dynamaze.common.arrays import BoolArray, Float32Array, FloatArray
from dynamaze.common.compiled import compiled
from dynamaze.common.map_memory import NEVER, OUTSIDE
from dynamaze.distill.core.map_state import grid_targets, known_grid, map_of

ACTIONS = 4
GAMMA = 0.95
TIE = 1e-6
"""Largest difference of equal values; those of paths of up to 200 moves differ by more."""


class TableLearner:
    """One learner: the latest outcome of each pair, and optimal values of this model.

    Untried pairs have the value 1, the largest reward: the learner explores until nothing untried
    is nearer than a goal (optimistic initial values; Sutton & Barto 2018, section 2.6).
    """

    def __init__(self, cells: int) -> None:
        self.model = LatestOutcome(cells, ACTIONS)
        self.values = TableValues(cells, ACTIONS, learning_rate=1.0, gamma=GAMMA, initial_value=1.0)
        self.planning = DynamicProgramming()
        self.rng = np.random.default_rng(0)  # for the interface: nothing is drawn

    def learn(self, cell: int, action: int, reward: float, next_cell: int) -> None:
        """Record a transition, and plan. Every reward ends an episode."""
        transition = one_transition(cell, action, reward, next_cell, reward > 0)
        self.model.update(transition)
        self.planning.record_transition(self.values, self.model, transition)
        self.planning.plan(self.values, self.model, self.rng)


class TableTeacher(MapTeacher):
    """Table learners as a teacher, one for each of a batch of runs, from the same observations.

    Each learns along its run, whoever acts, and outlives episodes. Its plans never read the map,
    which only decides which of them are labels (see `keep_useful`).
    """

    learners: Sequence[TableLearner] = ()

    def best_actions(self, observations: Any) -> BoolArray:
        """Learn from the observations, and return (runs, actions) True for the best actions."""
        grid = known_grid(self.grid)
        if self.memory is None:
            self.learners = [TableLearner(grid[0] * grid[1]) for _ in observations]
            before = np.zeros(len(observations), dtype=np.int64)
        else:
            before = self.memory[:, -1].astype(np.int64)
        states = self.record(observations)
        for learner, cell, (next_cell, action, reward) in zip(
            self.learners, before.tolist(), np.asarray(observations).tolist(), strict=True
        ):
            if cell > 0:
                learner.learn(cell - 1, int(action), reward, int(next_cell))
        cells = states[:, -1].astype(np.int64) - 1
        values = np.stack([each.values.q[c] for each, c in zip(self.learners, cells, strict=True)])
        return best_of(values)

    def labels(self, states: Float32Array, chosen: BoolArray) -> Labels:
        """Return the labels of maps; none in a cell from which no plan is useful."""
        learners = [each for each, use in zip(self.learners, chosen, strict=True) if use]
        grid = known_grid(self.grid)
        shape = (len(learners), grid[0] * grid[1], ACTIONS)
        best, tried = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        next_cell, reward = np.zeros(shape, dtype=np.int64), np.zeros(shape)
        for i, each in enumerate(learners):
            table = each.model.table
            best[i], tried[i] = best_of(each.values.q), table.visits.reshape(shape[1:]) > 0
            next_cell[i] = table.next_state.reshape(shape[1:])
            reward[i] = table.reward.reshape(shape[1:])
        new = np.asarray(map_of(states).event == NEVER)
        length = np.zeros(shape[:2], dtype=np.int64)
        keep_useful(grid_targets(grid), tried, next_cell, reward, new, best, length)
        return Labels(best, length)


def best_of(values: FloatArray) -> BoolArray:
    """Return (..., actions) True for the actions of the largest value."""
    return values >= values.max(axis=-1, keepdims=True) - TIE  # type: ignore[no-any-return]


@compiled
def keep_useful(targets, tried, next_cell, reward, new, best, length):
    """Clear best actions whose plan ends where the map has nothing new, and write path lengths.

    A learner's plan ends in a goal, or in a pair that it has not tried. To the learner each of the
    four pairs that lead into a cell is unknown by itself; to a map they are one cell. Labels of
    pairs that the learner tries again though the map knows the cell contradict each other: a map
    with the same events has another label as soon as the pair was tried. They are kept only where
    no plan ends in a goal or a new cell: there the learner looks again at what the map knows.

    Args:
        targets: (cells, actions) of `move_targets`.
        tried: (maps, cells, actions) True for the pairs that the learner has tried.
        next_cell: (maps, cells, actions) the latest outcomes.
        reward: (maps, cells, actions) their rewards.
        new: (maps, cells) True for the cells without an event in the map.
        best: (maps, cells, actions) the best actions, changed.
        length: (maps, cells) written; 0 without a best action.
    """
    for i in range(len(best)):
        found = follow(targets, tried[i], next_cell[i], reward[i], new[i], best[i], length[i])
        if not found:
            new[i] = True
            follow(targets, tried[i], next_cell[i], reward[i], new[i], best[i], length[i])
        for cell in range(best.shape[1]):
            for action in range(best.shape[2]):
                best[i, cell, action] = (
                    best[i, cell, action]
                    and moves_to_end(
                        targets, tried[i], next_cell[i], reward[i], new[i], length[i], cell, action
                    )
                    > 0
                )


@compiled
def follow(targets, tried, next_cell, reward, new, best, length):
    """Write the lengths of the plans from all cells of one map; return whether there are any."""
    found, changed = False, True
    while changed:  # lengths grow along the plans, from their ends
        changed = False
        for cell in range(length.size):
            for action in range(best.shape[1]):
                if length[cell] == 0 and best[cell, action]:
                    length[cell] = moves_to_end(
                        targets, tried, next_cell, reward, new, length, cell, action
                    )
                    changed = changed or length[cell] > 0
        found = found or changed
    return found


@compiled
def moves_to_end(targets, tried, next_cell, reward, new, length, cell, action):
    """Return the moves of the plan that begins with an action; 0 if it has no end yet."""
    if not tried[cell, action]:
        target = targets[cell, action]
        return 1 if target != OUTSIDE and new[target] else 0
    if reward[cell, action] > 0:
        return 1
    after = length[next_cell[cell, action]]
    return 1 + after if after > 0 and next_cell[cell, action] != cell else 0
