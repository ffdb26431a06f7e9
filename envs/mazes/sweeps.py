"""Optimal values of a maze where steps slip, by sweeps in the order of the ways to the goal.

Value iteration that takes over each new value at once (Gauss-Seidel; Sutton & Barto 2018, section
4.4: "in place"), and that solves for what comes back to the very state: an action that stays with
probability p and else gives x is worth x / (1 - gamma p).

The order is what makes it fast. States are numbered by their distance from the goal, so that one
sweep carries a value all the way through the maze, however it winds, and later ones only correct
for slips; and what a sweep reads lies side by side in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled

from .dynamics import PERPENDICULAR, Dynamics, Moves
from .layout import Layout


class Ordered(NamedTuple):
    """A maze's moves, its states numbered by their distance from the goal."""

    following: npt.NDArray[np.int32]  # (S, 4) the next state; S where none follows
    reward: FloatArray  # (S, 4)
    stays: npt.NDArray[np.uint8]  # (S,) bit d is set where direction d leads back to the state
    state: npt.NDArray[np.int64]  # (S,) the number that the layout gives the state

    @classmethod
    def of(cls, layout: Layout, moves: Moves) -> Ordered:
        """Order the moves of a layout; where no way leads to the goal comes last."""
        last = layout.num_cells
        distances = layout.distances.ravel()
        state = np.argsort(np.where(distances < 0, last, distances), kind="stable")
        number = np.empty(last + 1, dtype=np.int32)
        number[state] = np.arange(last)
        number[last] = last
        own = moves.next_state == np.arange(last)[:, None]
        following = number[np.where(moves.terminated | own, last, moves.next_state)]
        stays = np.packbits(own & ~moves.terminated, axis=1, bitorder="little")[:, 0]
        return cls(following[state], moves.reward[state], stays[state], state)


def values_by_sweeps(
    layout: Layout, gamma: float, *, tolerance: float = 1e-12, max_sweeps: int = 100_000
) -> FloatArray:
    """(S,) optimal state values.

    Args:
        layout: the maze.
        gamma: discount in [0, 1).
        tolerance: largest change of a value in the last sweep, in units of the largest value if
            that is above 1. The values are then ``gamma / (1 - gamma)`` times this exact.
        max_sweeps: bound on the work.

    Raises:
        RuntimeError: if the values have not settled after `max_sweeps`.
    """
    dynamics = Dynamics(layout)
    ordered = Ordered.of(layout, dynamics.moves)
    share = _shares(dynamics.probabilities, gamma)
    values = np.zeros(layout.num_cells + 1)  # the last one stands for what follows the end
    values[:-1] = min(0.0, layout.rewards.step / (1 - gamma))
    change = np.inf
    for _ in range(max_sweeps):
        change = sweep(ordered.following, ordered.reward, ordered.stays, values, gamma, share)
        if change <= tolerance * max(1.0, float(np.abs(values).max())):
            found: FloatArray = np.empty(layout.num_cells)
            found[ordered.state] = values[:-1]
            return found
    raise RuntimeError(
        f"sweeps with gamma={gamma} still changed a value by {change:.3g} after {max_sweeps} of "
        f"them; expected at most {tolerance:.3g}"
    )


def _shares(probabilities: Sequence[float], gamma: float) -> FloatArray:
    """(16, 4, 3) what the directions that an action may go count for.

    For each set of directions that lead back to the state, as bits, and each action: their
    probabilities over 1 - gamma times that of coming back.
    """
    sets = np.arange(16)[:, None] >> np.arange(4) & 1
    directions = np.array(PERPENDICULAR).T  # (actions, outcomes)
    back = sets[:, directions] @ np.array(probabilities)
    shares: FloatArray = np.array(probabilities) / (1 - gamma * back)[..., None]
    return shares


@compiled
def sweep(following, reward, stays, values, gamma, shares):
    """Set each state's value to that of its best action, in order, and give the largest change."""
    largest = 0.0
    for state in range(following.shape[0]):
        to = following[state]
        pay = reward[state]
        up, right = pay[0] + gamma * values[to[0]], pay[1] + gamma * values[to[1]]
        down, left = pay[2] + gamma * values[to[2]], pay[3] + gamma * values[to[3]]
        share = shares[stays[state]]
        along, across = up + down, right + left
        vertical = max(
            share[0, 0] * up + share[0, 1] * across, share[2, 0] * down + share[2, 1] * across
        )
        horizontal = max(
            share[1, 0] * right + share[1, 1] * along, share[3, 0] * left + share[3, 1] * along
        )
        best = max(vertical, horizontal)
        largest = max(largest, abs(best - values[state]))
        values[state] = best
    return largest
