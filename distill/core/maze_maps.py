"""The actions' maps of a value iteration network, and what its moves cost. No torch.

Where each action takes the value of the cell on its own side alone, value iteration is a shortest
path search with the costs of this module.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import Float32Array

from .observations import KERNEL

SIDES = [1, 5, 7, 3]
"""Indices in a 3x3 of the cells that up, right, down and left lead to."""

CENTRE = 4


class ActionMaps(NamedTuple):
    """Weights of a value iteration network as a map for each action."""

    reward: Float32Array  # (actions, 18) 3x3 of the walls, then of the goals
    moves: Float32Array  # (actions, 9), each row sums to 1
    bias: Float32Array  # (actions,)


def action_maps(
    scale: Float32Array,
    move: Float32Array,
    reward: Float32Array,
    bias: Float32Array,
    readout: Float32Array | None = None,
    readout_bias: Float32Array | float = 0.0,
) -> ActionMaps:
    """Return the actions' maps from the weights of a value iteration network.

    Args:
        scale: () scale of the softmax.
        move: (maps, 9).
        reward: (maps, 2, 3, 3).
        bias: (maps,).
        readout: (actions, maps); None if each map belongs to an action.
        readout_bias: (actions,).
    """
    reward, moves = reward.reshape(len(move), 2 * KERNEL), row_softmax(scale * move)
    if readout is None:
        return ActionMaps(reward, moves, bias)
    # The map from values to the actions' maps is linear, so both convolutions become one.
    read = row_softmax(scale * readout)
    return ActionMaps(read @ reward, read @ moves, read @ bias + readout_bias)


def row_softmax(rows: Float32Array) -> Float32Array:
    """Return the softmax of each row, as torch computes it in float32."""
    unnormalised = np.exp(rows - rows.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


class MoveCosts(NamedTuple):
    """Costs of the moves of a network in which each action has the value of its side alone."""

    least_step: Float32Array  # (actions,) lower bound of a move to a cell that is no goal
    step: Float32Array  # (actions,) upper bound of a move between cells that are no walls
    entering: Float32Array  # (actions,) additional cost of a move into a wall
    leaving: Float32Array  # (actions,) additional cost of a move out of a wall
    goal: Float32Array  # (actions,) gain of a move to a goal

    @property
    def wall(self) -> float:
        """Smallest additional cost of a path through a wall."""
        return float(self.entering.min() + self.leaving.min())

    @property
    def barrier(self) -> float:
        """Smallest additional cost of a path through a wall that may stand beside a goal.

        Values have a bound, so that the gain of the goal makes up for leaving the wall at most.
        """
        return float(self.entering.min() + max(0.0, (self.leaving - self.goal).min()))

    @property
    def spreads_from_goals(self) -> bool:
        """True if the values of all cells follow from those beside the goals.

        Then every cycle of moves loses, but for those that enter a goal. Where a goal has a free
        neighbour, entering it from there and coming back gains; where it has none, no longer way
        back from a wall gains if the direct one does not. So the cells from which one enters a goal
        and comes back with a gain have the largest value, and the values of all others have one
        solution, that of the shortest path problem.
        """
        return bool(
            (self.least_step > 0).all()
            and self.goal.min() > 2 * self.step.max()
            and self.entering.max() < self.entering.min() + self.wall
        )


def costs_of(maps: ActionMaps) -> MoveCosts | None:
    """Return the costs of the moves; None if an action has not the value of its side alone."""
    if not np.array_equal(maps.moves, np.eye(KERNEL, dtype=np.float32)[SIDES]):
        return None
    actions = np.arange(len(SIDES))
    walls, goals = maps.reward.reshape(-1, 2, KERNEL).swapaxes(0, 1).copy()
    goal, goals[actions, SIDES] = goals[actions, SIDES].copy(), 0.0
    least_step = -maps.bias - _gains(walls) - _gains(goals)
    entering, leaving = -walls[actions, SIDES], -walls[:, CENTRE]
    walls[actions, SIDES] = walls[:, CENTRE] = 0.0
    step = -maps.bias + _gains(-walls) + _gains(-goals)
    return MoveCosts(least_step, step, entering, leaving, goal)


def _gains(weights: Float32Array) -> Float32Array:
    """Return the sum of the positive weights of each action."""
    return np.maximum(weights, 0).sum(axis=1)  # type: ignore[no-any-return]
