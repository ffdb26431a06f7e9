"""What a step does, as tables: the one rule that every environment steps by.

An action moves the agent one cell; a wall or the edge stops it. With `slip_probability` the agent
slips to one of the two directions perpendicular to the one it meant, each half as likely.

A wall that falls on the agent does not move it: the agent stands on the wall's cell and may step
off it to any free neighbour, but nothing can step onto it. So every cell, walls included, has its
row in the tables, and what a wall does to the agent is the same in the model as in the world.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.messages import checked_number

from .layout import DISPLACEMENTS, BoolArray, IntArray, Layout
from .mdp import FiniteMDP
from .schedule import Schedule

FloatArray = npt.NDArray[np.float64]
Outcome = tuple[int, float, bool]  # next state, reward, terminated

NUM_ACTIONS = len(DISPLACEMENTS)
PERPENDICULAR = ((0, 1, 2, 3), (1, 2, 3, 0), (3, 0, 1, 2))
"""For each outcome of a step (as meant, slipped to one side, to the other): the direction moved."""


class Tables(NamedTuple):
    """A changing finite world as arrays: P phases, S states, A actions, K outcomes of a step."""

    change_steps: IntArray  # (P - 1,) the world steps at which phases 1, 2, ... begin
    next_state: IntArray  # (P, S, A, K)
    reward: FloatArray  # (P, S, A, K)
    terminated: BoolArray  # (P, S, A, K)
    cumulative: FloatArray  # (P, S, A, K) probability of outcomes 0 ... k; the last is 1
    starts: tuple[IntArray, ...]  # for each phase the states where an episode may begin


class Dynamics:
    """A schedule and a slip probability, turned into tables. Immutable, shared between copies.

    Args:
        schedule: the layouts and when they hold.
        slip_probability: in [0, 1].

    Raises:
        ValueError: if the slip probability is not in [0, 1].
        TypeError: if it is not a number.
    """

    def __init__(self, schedule: Schedule, slip_probability: float = 0.0) -> None:
        self.schedule = schedule
        self.slip_probability = checked_number("slip_probability", slip_probability, 0, 1)
        self.num_states = schedule.layouts[0].num_cells
        slip = self.slip_probability
        self.probabilities = (1.0 - slip, slip / 2, slip / 2) if slip > 0 else (1.0,)
        self.thresholds = tuple(float(edge) for edge in np.cumsum(self.probabilities)[:-1])
        self._starts = [
            [layout.index(cell) for cell in layout.starts] for layout in schedule.layouts
        ]
        self._outcomes = [Outcomes(self, phase) for phase in range(len(schedule.layouts))]

    @property
    def is_random(self) -> bool:
        """Whether a step or a reset uses random numbers at all."""
        return self.slip_probability > 0 or any(
            len(layout.starts) > 1 for layout in self.schedule.layouts
        )

    def starts(self, phase: int) -> list[int]:
        """The states where an episode of a phase may begin."""
        return self._starts[phase]

    @cached_property
    def tables(self) -> Tables:
        """All phases as arrays; made when first asked for."""
        phases = [phase_arrays(layout, len(self.probabilities)) for layout in self.schedule.layouts]
        next_state, reward, terminated = (np.stack(arrays) for arrays in zip(*phases, strict=True))
        cumulative = np.empty(next_state.shape)
        cumulative[...] = (*self.thresholds, 1.0)
        return Tables(
            change_steps=np.array(self.schedule.steps[1:], dtype=np.int64),
            next_state=next_state,
            reward=reward,
            terminated=terminated,
            cumulative=cumulative,
            starts=tuple(np.array(starts) for starts in self._starts),
        )

    def outcomes(self, phase: int) -> Outcomes:
        """What a step may do in a phase, as Python numbers for the single environment."""
        return self._outcomes[phase]

    def mdp(self, phase: int) -> FiniteMDP:
        """The exact Markov decision process of a phase."""
        layout = self.schedule.layouts[phase]
        next_state, reward, terminated = phase_arrays(layout, len(self.probabilities))
        probability = np.empty(next_state.shape)
        probability[...] = self.probabilities
        start = np.zeros(layout.num_cells)
        start[self._starts[phase]] = 1 / len(layout.starts)
        return FiniteMDP(next_state, probability, reward, terminated, start)

    def __deepcopy__(self, memo: object) -> Dynamics:
        return self

    def __reduce__(self) -> tuple[type[Dynamics], tuple[Schedule, float]]:
        return Dynamics, (self.schedule, self.slip_probability)


class Outcomes(dict[int, "list[tuple[Outcome, ...]]"]):
    """``outcomes[state][action][k]``, each state's row made when it is first stood on."""

    def __init__(self, dynamics: Dynamics, phase: int) -> None:
        super().__init__()
        self._dynamics = dynamics
        self._phase = phase

    def __missing__(self, state: int) -> list[tuple[Outcome, ...]]:
        if state < 0:
            raise IndexError(f"state {state}; expected at least 0")
        tables = self._dynamics.tables
        arrays = (tables.next_state, tables.reward, tables.terminated)
        columns = [array[self._phase, state].tolist() for array in arrays]
        row = [tuple(zip(*action, strict=True)) for action in zip(*columns, strict=True)]
        self[state] = row
        return row


def phase_arrays(layout: Layout, num_outcomes: int) -> tuple[IntArray, FloatArray, BoolArray]:
    """Next state, reward and terminated of one layout, each (states, actions, outcomes).

    A goal is absorbing: every action there stays, pays nothing and says terminated.
    """
    next_state, stopped = _moves(layout)
    states = np.arange(layout.num_cells)[:, None]
    is_goal = np.zeros(layout.num_cells, dtype=np.bool_)
    is_goal[[layout.index(cell) for cell in layout.goals]] = True
    next_state = np.where(is_goal[:, None], states, next_state)
    terminated = is_goal[next_state]
    reward = np.where(stopped, layout.rewards.wall, layout.rewards.step)
    reward = np.where(terminated, layout.rewards.goal, reward)
    reward[is_goal] = 0.0
    directions = np.array(PERPENDICULAR[:num_outcomes]).T  # (actions, outcomes)
    # Indexing leaves another order in memory, for which compiled code would be compiled again.
    return (
        np.ascontiguousarray(next_state[:, directions]),
        np.ascontiguousarray(reward[:, directions]),
        np.ascontiguousarray(terminated[:, directions]),
    )


def _moves(layout: Layout) -> tuple[IntArray, BoolArray]:
    """Where each direction leads from each cell, and whether something stopped the agent."""
    rows, cols = np.divmod(np.arange(layout.num_cells), layout.cols)
    down, right = np.array(DISPLACEMENTS).T
    to_rows, to_cols = rows[:, None] + down, cols[:, None] + right
    outside = (to_rows < 0) | (to_rows >= layout.rows) | (to_cols < 0) | (to_cols >= layout.cols)
    target = np.where(outside, 0, to_rows * layout.cols + to_cols)
    stopped = outside | layout.walls.ravel()[target]
    return np.where(stopped, np.arange(layout.num_cells)[:, None], target), stopped
