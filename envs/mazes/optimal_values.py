"""Exact optimal values and policies of one maze, at any size.

With gamma = 1 a value may be -inf: where every policy is endless with negative rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, Int32Array, IntArray, UInt8Array
from dynamaze.common.validation import checked_number

from .dynamics import SLIP_DIRECTIONS, Dynamics, Moves
from .layout import DISPLACEMENTS, Layout, delayed_returns
from .mdp import greedy_policy
from .shortest_paths import bfs_distances

TIE = 1e-12
"""Action values whose difference is smaller, relative to the best, differ by rounding only."""

LARGE = 2000
"""Mazes with slips and at least this many cells are swept by compiled code; for smaller ones Numba
takes longer to load."""


def optimal_values(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """Return (S,) the optimal state values of a maze.

    Without slips they follow from two breadth-first searches, in a fraction of a second for a
    million cells. With slips they are found by value iteration, as exactly as by
    `FiniteMDP.optimal_values`; in large mazes by `in_place_value_iteration`, in seconds for a
    million cells.

    Args:
        layout: the maze.
        gamma: discount in [0, 1].

    Raises:
        ValueError: if gamma is outside [0, 1], or if with gamma = 1 a positive reward is endless.
        RuntimeError: with slips and gamma = 1, if the values do not converge.
    """
    gamma = checked_number("gamma", gamma, 0, 1)
    if layout.slip_probability > 0:
        if layout.num_cells < LARGE or gamma == 1:
            return Dynamics(layout).mdp.optimal_values(gamma)
        return in_place_value_iteration(layout, gamma)
    values = _deterministic_values(layout, gamma)
    endless = np.argwhere(values == np.inf)
    if len(endless):
        row, col = endless[0].tolist()
        raise ValueError(
            f"gamma={gamma} with {layout.rewards}: the agent at row {row}, column {col} has an "
            "endless positive reward; expected gamma below 1"
        )
    return values.ravel()


def optimal_action_values(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """Return (S, A) the optimal action values; arguments and errors as for `optimal_values`."""
    return Dynamics(layout).mdp.backup(optimal_values(layout, gamma), gamma)


def optimal_policy(layout: Layout, gamma: float = 0.95) -> FloatArray:
    """Return (S, A) the probabilities of the optimal actions, equal among the best ones.

    Without slips actions count as equally good if their values differ by rounding only, relative to
    the values, however small: paths of thousands of steps are found as long as ``gamma ** steps``
    is at least 1e-300.
    """
    if layout.slip_probability > 0:
        return greedy_policy(optimal_action_values(layout, gamma), tolerance=1e-9)
    action_values = optimal_action_values(layout, gamma)
    best = action_values.max(axis=1, keepdims=True)
    return greedy_policy(action_values, tolerance=TIE * np.abs(best))


def _deterministic_values(layout: Layout, gamma: float) -> FloatArray:
    """Return (rows, cols) the optimal values without slips.

    The best policy walks, then does one of three things: enters a goal, walks on endlessly, or runs
    into a wall endlessly. Each of the three is reached by a shortest path.
    """
    # Why by a shortest path: subtract the step reward from every reward. Walking then has reward
    # 0, and its end is worth less the later it comes, or is negative. So walking first is worth
    # its while only if it is short, or walking endlessly is better still.
    reward = layout.rewards
    is_goal = layout.distances == 0
    is_walkable = ~(layout.walls | is_goal)
    is_stopped = _neighbours(layout.walls, True).any(axis=0)
    to_wall = bfs_distances(~is_walkable, np.flatnonzero(is_walkable & is_stopped))
    can_walk_on = _neighbours(is_walkable, False).any(axis=0)
    values = np.full(layout.walls.shape, -np.inf)
    for last, steps in (
        (reward.goal, np.where(layout.distances > 0, layout.distances - 1, -1)),
        (_endless_return(reward.step, gamma), np.where(can_walk_on, 0, -1)),
        (_endless_return(reward.wall, gamma), to_wall),
    ):
        returns = delayed_returns(last, reward.step, gamma, int(steps.max()) + 1)
        # -1 steps (no such end) select the last entry.
        values = np.maximum(values, np.array([*returns, -np.inf])[steps])
    # An agent on a wall's cell may stay there endlessly or step off; it cannot come back.
    entered = np.full(layout.walls.shape, -np.inf)
    entered[is_goal] = reward.goal
    entered[is_walkable] = reward.step + gamma * values[is_walkable]
    stays = np.where(is_stopped, _endless_return(reward.wall, gamma), -np.inf)
    leaves = _neighbours(entered, -np.inf).max(axis=0)
    values[layout.walls] = np.maximum(stays, leaves)[layout.walls]
    values[is_goal] = 0.0
    return values


def _endless_return(reward: float, gamma: float) -> float:
    """Return the discounted return of a reward at every step, without end."""
    if gamma < 1:
        return reward / (1 - gamma)
    return float(np.copysign(np.inf, reward)) if reward else 0.0


def _neighbours(grid: npt.NDArray[Any], beyond: float) -> npt.NDArray[Any]:
    """Return (4, rows, cols) the entries beside each cell, in the four directions."""
    rows, cols = grid.shape
    padded = np.pad(grid, 1, constant_values=beyond)
    return np.stack(
        [
            padded[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
            for down, right in DISPLACEMENTS
        ]
    )


class SweepOrder(NamedTuple):
    """Moves of a maze whose states are numbered by their distance from the goal.

    Neighbours in this order are near in memory, and one sweep in it carries values from the goal
    through the whole maze.
    """

    next_state: Int32Array  # (S, 4) S for moves that end the episode or lead back
    reward: FloatArray  # (S, 4)
    stays: UInt8Array  # (S,) bit d is set if direction d leads back to the state
    state: IntArray  # (S,) the state's index in the layout

    @classmethod
    def of(cls, layout: Layout, moves: Moves) -> SweepOrder:
        """Order the moves of a layout; states without a path to the goal come last."""
        last = layout.num_cells
        distances = layout.distances.ravel()
        state = np.argsort(np.where(distances < 0, last, distances), kind="stable")
        rank = np.empty(last + 1, dtype=np.int32)
        rank[state] = np.arange(last)
        rank[last] = last
        is_self_loop = moves.next_state == np.arange(last)[:, None]
        following = rank[np.where(moves.terminated | is_self_loop, last, moves.next_state)]
        stays = np.packbits(is_self_loop & ~moves.terminated, axis=1, bitorder="little")[:, 0]
        return cls(following[state], moves.reward[state], stays[state], state)


def in_place_value_iteration(
    layout: Layout, gamma: float, *, tolerance: float = 1e-12, max_sweeps: int = 100_000
) -> FloatArray:
    """Return (S,) the optimal state values, by in-place value iteration.

    Value iteration that uses each new value at once (Gauss-Seidel; Sutton & Barto 2018, section
    4.4: "in place"), in the order of the distances from the goal: one sweep carries values through
    the whole maze, and later ones only correct for slips.

    Args:
        layout: the maze.
        gamma: discount in [0, 1).
        tolerance: largest change of a value in the last sweep, relative to the largest value if
            that is above 1. The error is then at most ``gamma / (1 - gamma)`` times this.
        max_sweeps: maximum number of sweeps.

    Raises:
        RuntimeError: if the values have not converged after `max_sweeps`.
    """
    dynamics = Dynamics(layout)
    order = SweepOrder.of(layout, dynamics.moves)
    weights = _backup_weights(dynamics.probabilities, gamma)
    values = np.zeros(layout.num_cells + 1)  # the last one stays 0: no next state
    values[:-1] = min(0.0, layout.rewards.step / (1 - gamma))
    change, sweep = np.inf, _compiled_sweep()
    for _ in range(max_sweeps):
        change = sweep(order.next_state, order.reward, order.stays, values, gamma, weights)
        if change <= tolerance * max(1.0, float(np.abs(values).max())):
            found: FloatArray = np.empty(layout.num_cells)
            found[order.state] = values[:-1]
            return found
    raise RuntimeError(
        f"value iteration in place with gamma={gamma} still changed a value by {change:.3g} after "
        f"{max_sweeps} sweeps; expected at most {tolerance:.3g}"
    )


def _backup_weights(probabilities: Sequence[float], gamma: float) -> FloatArray:
    """Return (16, 4, 3) the weights of an action's directions in its backup.

    For each set of directions that lead back to the state, as bits, and each action.
    """
    sets = np.arange(16)[:, None] >> np.arange(4) & 1
    directions = np.array(SLIP_DIRECTIONS).T  # (actions, outcomes)
    back = sets[:, directions] @ np.array(probabilities)
    # An action that stays with probability p and else gives x has the value x / (1 - gamma p).
    weights: FloatArray = np.array(probabilities) / (1 - gamma * back)[..., None]
    return weights


@cache
def _compiled_sweep() -> Any:
    from dynamaze.common.compiled import compiled  # Numba is slow to import

    return compiled(sweep)


def sweep(
    next_state: Int32Array,
    reward: FloatArray,
    stays: UInt8Array,
    values: FloatArray,
    gamma: float,
    weights: FloatArray,
) -> float:
    """Set each state's value to that of its best action, in order; return the largest change."""
    largest = 0.0
    for state in range(next_state.shape[0]):
        to = next_state[state]
        pay = reward[state]
        up, right = pay[0] + gamma * values[to[0]], pay[1] + gamma * values[to[1]]
        down, left = pay[2] + gamma * values[to[2]], pay[3] + gamma * values[to[3]]
        weight = weights[stays[state]]
        along, across = up + down, right + left
        vertical = max(
            weight[0, 0] * up + weight[0, 1] * across, weight[2, 0] * down + weight[2, 1] * across
        )
        horizontal = max(
            weight[1, 0] * right + weight[1, 1] * along, weight[3, 0] * left + weight[3, 1] * along
        )
        best = max(vertical, horizontal)
        largest = max(largest, abs(best - values[state]))
        values[state] = best
    return largest
