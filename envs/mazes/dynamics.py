"""What a step does in a maze, as arrays: the one rule that every environment on a grid steps by.

An action moves the agent one cell; a wall or the edge stops it. With the layout's
`slip_probability` the agent slips to one of the two directions perpendicular to the one it meant,
each half as likely.

A wall that falls on the agent does not move it: the agent stands on the wall's cell and may step
off it to any free neighbour, but nothing can step onto it. So every cell, walls included, has its
row in the arrays, and what a wall does to the agent is the same in the model as in the world.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from .layout import DISPLACEMENTS, Layout
from .mdp import FiniteMDP

Outcome = tuple[int, float, bool]  # next state, reward, terminated

NUM_ACTIONS = len(DISPLACEMENTS)
PERPENDICULAR = ((0, 1, 2, 3), (1, 2, 3, 0), (3, 0, 1, 2))
"""For each outcome of a step (as meant, slipped to one side, to the other): the direction moved."""


class Moves(NamedTuple):
    """Where each of the four directions leads from each state, and what that pays."""

    next_state: IntArray  # (S, 4)
    reward: FloatArray  # (S, 4)
    terminated: BoolArray  # (S, 4)


class Dynamics:
    """What a step does in one layout. Immutable, shared between copies of an environment.

    Attributes:
        layout: the maze.
        starts: the states where an episode may begin.
        thresholds: a number drawn from [0, 1) below the first is a step as it was meant, below
            the second a slip to one side, otherwise a slip to the other; empty without slip.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.starts = [layout.index(cell) for cell in layout.starts]
        slip = layout.slip_probability
        self.probabilities: tuple[float, ...] = (
            (1.0 - slip, slip / 2, slip / 2) if slip > 0 else (1.0,)
        )
        self.thresholds: tuple[float, ...] = (1.0 - slip, 1.0 - slip + slip / 2) if slip > 0 else ()
        self.outcomes = Outcomes(self)

    @cached_property
    def moves(self) -> Moves:
        """The four directions from each state; made when first asked for."""
        return _moves(self.layout)

    @cached_property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the layout."""
        directions = np.array(PERPENDICULAR[: len(self.probabilities)]).T  # (actions, outcomes)
        # Indexing leaves another order in memory, for which compiled code would be compiled again.
        moves = self.moves
        probability = np.empty((self.layout.num_cells, *directions.shape))
        probability[...] = self.probabilities
        start = np.zeros(self.layout.num_cells)
        start[self.starts] = 1 / len(self.starts)
        return FiniteMDP(
            np.ascontiguousarray(moves.next_state[:, directions]),
            probability,
            np.ascontiguousarray(moves.reward[:, directions]),
            np.ascontiguousarray(moves.terminated[:, directions]),
            start,
        )

    def __deepcopy__(self, memo: object) -> Dynamics:
        return self

    def __reduce__(self) -> tuple[type[Dynamics], tuple[Layout]]:
        return Dynamics, (self.layout,)


class Outcomes(dict[int, "list[tuple[Outcome, ...]]"]):
    """``outcomes[state][action][k]`` as Python numbers, each row made when it is first stood on."""

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__()
        self._dynamics = dynamics

    def __missing__(self, state: int) -> list[tuple[Outcome, ...]]:
        if state < 0:
            raise IndexError(f"state {state}; expected at least 0")
        dynamics = self._dynamics
        columns = [column[state].tolist() for column in dynamics.moves]
        moves: list[Outcome] = list(zip(*columns, strict=True))
        directions = PERPENDICULAR[: len(dynamics.probabilities)]
        row = [
            tuple(moves[direction[action]] for direction in directions)
            for action in range(NUM_ACTIONS)
        ]
        self[state] = row
        return row


def _moves(layout: Layout) -> Moves:
    """A goal is absorbing: every move there stays, pays nothing and says terminated."""
    rows, cols = layout.rows, layout.cols
    states = np.arange(layout.num_cells)
    beyond = np.ones((rows + 2, cols + 2), dtype=np.bool_)
    beyond[1:-1, 1:-1] = layout.walls
    is_goal = np.zeros(layout.num_cells, dtype=np.bool_)
    is_goal[[layout.index(cell) for cell in layout.goals]] = True
    stopped = np.stack(
        [
            beyond[1 + down : 1 + down + rows, 1 + right : 1 + right + cols].ravel()
            for down, right in DISPLACEMENTS
        ],
        axis=1,
    )
    steps = np.array([down * cols + right for down, right in DISPLACEMENTS])
    next_state = np.where(stopped | is_goal[:, None], states[:, None], states[:, None] + steps)
    terminated = is_goal[next_state]
    reward = np.where(stopped, layout.rewards.wall, layout.rewards.step)
    reward[terminated] = layout.rewards.goal
    reward[is_goal] = 0.0
    return Moves(next_state, reward, terminated)
