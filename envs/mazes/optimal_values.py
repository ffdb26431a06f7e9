"""The exact truth of one maze: optimal values and policies, at any size.

With gamma = 1 a value may be -inf: where every policy pays for ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .dynamics import Dynamics
from .layout import DISPLACEMENTS, Layout, delayed_returns
from .mdp import greedy_policy
from .shortest_paths import search_from

TIE = 1e-12
"""Action values that differ by less, in units of the best, are equal but for rounding."""

LARGE = 2000
"""From so many cells on values with slips are swept compiled: for fewer, Numba takes longer."""


def optimal_values(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """(S,) optimal state values of a maze.

    Without slips they are written down after two breadth-first searches, a fraction of a second
    for a million cells. With slips value iteration finds them, as exactly as
    `FiniteMDP.optimal_values` says; in large mazes by sweeps in the order of the ways to the goal,
    in seconds for a million cells.

    Args:
        layout: the maze.
        gamma: discount in [0, 1].

    Raises:
        ValueError: if gamma is outside [0, 1], or if with gamma = 1 a reward can be had for ever.
        RuntimeError: with slips and gamma = 1, if the values never settle.
    """
    gamma = checked_number("gamma", gamma, 0, 1)
    if layout.slip_probability > 0:
        if layout.num_cells < LARGE or gamma == 1:
            return Dynamics(layout).mdp.optimal_values(gamma)
        from .sweeps import values_by_sweeps  # it compiles

        return values_by_sweeps(layout, gamma)
    values = _values_without_slips(layout, gamma)
    endless = np.argwhere(values == np.inf)
    if len(endless):
        row, col = endless[0].tolist()
        raise ValueError(
            f"gamma={gamma} with {layout.rewards}: the agent at row {row}, column {col} can be "
            "paid for ever; expected gamma below 1"
        )
    return values.ravel()


def optimal_action_values(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """(S, A) optimal action values of a maze; arguments and errors as for `optimal_values`."""
    return Dynamics(layout).mdp.backup(optimal_values(layout, gamma), gamma)


def optimal_policy(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """(S, A) probabilities that share alike among the best actions.

    Without slips actions count as equally good if their values are so up to rounding, which for
    the smallest value is as fine as for the largest: a way of thousands of steps is found, as long
    as ``gamma ** steps`` is no less than 1e-300.
    """
    if layout.slip_probability > 0:
        return greedy_policy(optimal_action_values(layout, gamma), tolerance=1e-9)
    action_values = optimal_action_values(layout, gamma)
    best = action_values.max(axis=1, keepdims=True)
    return greedy_policy(action_values, tolerance=TIE * np.abs(best))


def _values_without_slips(layout: Layout, gamma: float) -> FloatArray:
    """(rows, cols) the best of all that an agent can do where steps are certain.

    The best policy walks, then does one of three things: enters a goal, walks on for ever, or runs
    into a wall for ever. Walking first is worth its while only if it is short, or else walking for
    ever is better still: so each of the three is reached the shortest way. (Take `step` off every
    reward: walking then pays nothing, and what comes at its end is worth less the later it comes,
    or worth less than nothing.)
    """
    reward = layout.rewards
    is_goal = layout.distances == 0
    is_live = ~(layout.walls | is_goal)  # where an agent may walk
    is_stopped = _beside(layout.walls, True).any(axis=0)
    to_wall = search_from(~is_live, np.flatnonzero(is_live & is_stopped))
    can_walk_on = _beside(is_live, False).any(axis=0)
    values = np.full(layout.walls.shape, -np.inf)
    for last, steps in (
        (reward.goal, np.where(layout.distances > 0, layout.distances - 1, -1)),
        (_for_ever(reward.step, gamma), np.where(can_walk_on, 0, -1)),
        (_for_ever(reward.wall, gamma), to_wall),
    ):
        returns = delayed_returns(last, reward.step, gamma, int(steps.max()) + 1)
        # There is no such end where the steps are -1, which takes what stands last.
        values = np.maximum(values, np.array([*returns, -np.inf])[steps])
    # Whoever stands where a wall fell may stay there for ever, or step off; nobody comes back.
    entered = np.full(layout.walls.shape, -np.inf)
    entered[is_goal] = reward.goal
    entered[is_live] = reward.step + gamma * values[is_live]
    stays = np.where(is_stopped, _for_ever(reward.wall, gamma), -np.inf)
    leaves = _beside(entered, -np.inf).max(axis=0)
    values[layout.walls] = np.maximum(stays, leaves)[layout.walls]
    values[is_goal] = 0.0
    return values


def _for_ever(reward: float, gamma: float) -> float:
    """The return of a reward at every step, without end."""
    if gamma < 1:
        return reward / (1 - gamma)
    return float(np.copysign(np.inf, reward)) if reward else 0.0


def _beside(grid: npt.NDArray[Any], beyond: float) -> npt.NDArray[Any]:
    """(4, rows, cols) what is beside each cell, in the four directions."""
    rows, cols = grid.shape
    padded = np.pad(grid, 1, constant_values=beyond)
    return np.stack(
        [
            padded[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
            for down, right in DISPLACEMENTS
        ]
    )
