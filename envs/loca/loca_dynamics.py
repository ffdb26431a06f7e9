"""What a step does in the grid world of LoCA: a maze's moves, but for the exits and the passage.

1. T2 pays its own reward, whatever T1 pays.
2. In the zone, the last column before T1, the move to the left leaves the agent where it is.
3. With the layout's `slip_probability` an action is replaced by one of the four, each as likely,
   the meant one too; what the passage does to the move that is made comes after that.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..mazes.dynamics import NUM_ACTIONS, Dynamics, Moves, Outcome
from ..mazes.layout import Layout
from ..mazes.mdp import FiniteMDP
from .tasks import EXIT_T2, T2_REWARD, ZONE

LEFT = 3

TURNS = np.add.outer(np.arange(NUM_ACTIONS), np.arange(NUM_ACTIONS)) % NUM_ACTIONS
"""(actions, outcomes) the direction moved: as meant first, then the three others."""


class LoCADynamics:
    """What a step does in one layout of a LoCA world. Immutable.

    Attributes:
        mdp: the exact Markov decision process.
        outcomes: `outcomes[state][action][k]` as Python numbers.
        thresholds: a number drawn from [0, 1) below the first is the first outcome, and so on;
            empty without slip.
    """

    def __init__(self, layout: Layout) -> None:
        moves = _moves(layout)
        slip = layout.slip_probability
        other = slip / NUM_ACTIONS
        shares = (1.0 - (NUM_ACTIONS - 1) * other, other, other, other) if slip > 0 else (1.0,)
        directions = TURNS[:, : len(shares)]
        start = np.zeros(layout.num_cells)
        start[[layout.index(cell) for cell in layout.starts]] = 1 / len(layout.starts)
        probability = np.empty((layout.num_cells, *directions.shape))
        probability[...] = shares
        self.mdp = FiniteMDP(
            np.ascontiguousarray(moves.next_state[:, directions]),
            probability,
            np.ascontiguousarray(moves.reward[:, directions]),
            np.ascontiguousarray(moves.terminated[:, directions]),
            start,
        )
        self.thresholds: tuple[float, ...] = tuple(np.cumsum(shares)[:-1].tolist())
        self.outcomes = _outcomes(self.mdp)


@lru_cache(maxsize=16)
def loca_dynamics(layout: Layout) -> LoCADynamics:
    """What a step does in a layout; those of the latest layouts are kept and shared."""
    return LoCADynamics(layout)


def _moves(layout: Layout) -> Moves:
    moves = Dynamics(layout).moves
    states = np.arange(layout.num_cells)
    column = states % layout.cols
    from_exit = layout.distances.ravel() == 0
    leaves_by_t2 = (column[moves.next_state] == EXIT_T2) & ~from_exit[:, None]
    next_state = moves.next_state.copy()
    reward = np.where(leaves_by_t2, T2_REWARD, moves.reward)
    next_state[column == ZONE, LEFT] = states[column == ZONE]
    reward[column == ZONE, LEFT] = layout.rewards.wall
    return Moves(next_state, reward, moves.terminated)


def _outcomes(mdp: FiniteMDP) -> dict[int, list[tuple[Outcome, ...]]]:
    columns = [column.tolist() for column in (mdp.next_state, mdp.reward, mdp.terminated)]
    rows = [
        [tuple(zip(*outcomes, strict=True)) for outcomes in zip(*actions, strict=True)]
        for actions in zip(*columns, strict=True)
    ]
    return dict(enumerate(rows))
