"""Dynamics of a step in a maze, as arrays: the one rule that every environment on a grid uses.

An action moves the agent one cell; a wall or the edge stops it. With the layout's
`slip_probability` the agent slips to one of the two directions perpendicular to the action, with
equal probabilities.

A wall that closes the agent's cell does not move it: the agent may step off it to any free
neighbour, but nothing can step onto it. So every cell, walls included, has its row in the arrays,
and the exact MDP includes this case.
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import ClassVar, NamedTuple, Self

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from .layout import DISPLACEMENTS, Layout
from .mdp import FiniteMDP

OutcomeTuple = tuple[int, float, bool]  # next state, reward, terminated

NUM_ACTIONS = len(DISPLACEMENTS)
SLIP_DIRECTIONS = ((0, 1, 2, 3), (1, 2, 3, 0), (3, 0, 1, 2))
"""Direction moved for each outcome (as intended, slipped to one side, to the other) and action."""


class Moves(NamedTuple):
    """Result of moving in each of the four directions from each state."""

    next_state: IntArray  # (S, 4)
    reward: FloatArray  # (S, 4)
    terminated: BoolArray  # (S, 4)


class Dynamics:
    """Dynamics of one layout. Immutable, shared between copies of an environment.

    Attributes:
        layout: the maze.
        starts: the states where an episode may begin.
        probabilities: of the possible outcomes of an action: as intended, and the slips.
        thresholds: cumulative probabilities: a random number below the first is a step as
            intended, below the second a slip to one side, otherwise a slip to the other; empty
            without slip.
        outcomes: `outcomes[state][action][k]` as Python numbers.
    """

    directions: ClassVar[tuple[tuple[int, ...], ...]] = SLIP_DIRECTIONS
    """Direction moved for each outcome and action."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.starts = [layout.index(cell) for cell in layout.starts]
        slip = layout.slip_probability
        self.probabilities = self._slip_probabilities(slip) if slip > 0 else (1.0,)
        self.thresholds = tuple(accumulate(self.probabilities))[:-1]
        self.outcomes = OutcomeTable(self)

    def _slip_probabilities(self, slip: float) -> tuple[float, ...]:
        return 1.0 - slip, slip / 2, slip / 2

    @cached_property
    def outcomes_before_goals(self) -> OutcomeTable:
        """The outcomes, but none of the actions on a goal, where an episode has ended."""
        return OutcomeTable(self, frozenset(self.layout.index(goal) for goal in self.layout.goals))

    @cached_property
    def moves(self) -> Moves:
        """The four directions from each state; computed on first use."""
        return maze_moves(self.layout)

    @cached_property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the layout."""
        # (actions, outcomes)
        directions = np.array(self.directions[: len(self.probabilities)]).T
        # Indexing leaves another order in memory, for which Numba would compile its callers again.
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

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[Layout]]:
        return type(self), (self.layout,)


class OutcomeTable(dict[int, "list[tuple[OutcomeTuple, ...]]"]):
    """``outcomes[state][action][k]`` as Python numbers; a state's row is computed on first use.

    Args:
        dynamics: of the maze.
        excluded: states without outcomes.
    """

    def __init__(self, dynamics: Dynamics, excluded: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self._dynamics, self._excluded = dynamics, excluded

    def __missing__(self, state: int) -> list[tuple[OutcomeTuple, ...]]:
        if state < 0 or state in self._excluded:
            raise IndexError(f"state {state}; expected at least 0, and none that is excluded")
        dynamics = self._dynamics
        columns = [column[state].tolist() for column in dynamics.moves]
        moves: list[OutcomeTuple] = list(zip(*columns, strict=True))
        directions = dynamics.directions[: len(dynamics.probabilities)]
        row = [
            tuple(moves[direction[action]] for direction in directions)
            for action in range(NUM_ACTIONS)
        ]
        self[state] = row
        return row


def maze_moves(layout: Layout) -> Moves:
    """Return the moves of a layout. In a goal every move stays, terminates and has reward 0."""
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
