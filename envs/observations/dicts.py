"""Observations that are dictionaries: with a mask of the actions, and with goals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray

from ..mazes.dynamics import NUM_ACTIONS, Dynamics
from ..mazes.layout import Layout
from .basic import Observation, Slots, check_goals, keys_of

Mask = npt.NDArray[np.int8]


class ActionMask:
    """`{"observation": ..., "action_mask": ...}`.

    The mask is 1 for the actions that lead to another cell, and 1 for all where none does.

    Args:
        layout: the first maze.
        of: the form of observation that stands in it.
    """

    def __init__(self, layout: Layout, of: Observation) -> None:
        self._of = of
        self._masks = Slots((layout.num_cells, NUM_ACTIONS), np.int8)
        mask = spaces.MultiBinary(NUM_ACTIONS)
        self.space = spaces.Dict({**keys_of(of.space), "action_mask": mask})

    def load(self, slot: int, layout: Layout) -> None:
        """Find the actions that lead somewhere in the maze of a slot."""
        self._of.load(slot, layout)
        masks = self._masks.stale(slot, layout)
        if masks is not None:
            masks[:] = action_masks(layout)

    def one(self, state: int, slot: int) -> dict[str, Any]:
        """The observation of a state; the mask is (4,) int8."""
        mask: Mask = self._masks.arrays[slot, state].copy()
        return {**keys_of(self._of.one(state, slot)), "action_mask": mask}

    def many(self, states: IntArray, slots: IntArray) -> dict[str, Any]:
        """The observations of several; the masks are (n, 4) int8."""
        masks: Mask = self._masks.arrays[slots, states]
        return {**keys_of(self._of.many(states, slots)), "action_mask": masks}


class Goal:
    """`{"observation": ..., "achieved_goal": ..., "desired_goal": ...}`, as HER wants it.

    The goals are the coordinates of the agent's cell and of the maze's goal (of the first, where
    there are several), (2,) float32: row and column. `compute_reward` of the environment tells
    what reaching one pays (Andrychowicz et al. 2017).

    Args:
        layout: the first maze.
        of: the form of observation that stands in it.
    """

    def __init__(self, layout: Layout, of: Observation) -> None:
        check_goals(layout)
        self._of = of
        self._cols = layout.cols
        self._goals = Slots((2,), np.float32)
        place = self._space(layout)
        self.space = spaces.Dict(
            {**keys_of(of.space), "achieved_goal": place, "desired_goal": place}
        )

    def load(self, slot: int, layout: Layout) -> None:
        """Note the goal of the maze in a slot."""
        self._of.load(slot, layout)
        goal = self._goals.stale(slot, layout)
        if goal is not None:
            goal[:] = self._goal(layout)

    def one(self, state: Any, slot: int) -> dict[str, Any]:
        """The observation of a state."""
        return {
            **keys_of(self._of.one(state, slot)),
            "achieved_goal": self._place(state),
            "desired_goal": self._goals.arrays[slot].copy(),
        }

    def many(self, states: Any, slots: IntArray) -> dict[str, Any]:
        """The observations of several; the goals are (n, 2) float32."""
        return {
            **keys_of(self._of.many(states, slots)),
            "achieved_goal": self._places(states),
            "desired_goal": self._goals.arrays[slots],
        }

    # -- what another kind of maze says in another way ---------------------------------------------

    def _space(self, layout: Layout) -> spaces.Box:
        high = np.array([layout.rows - 1, layout.cols - 1], dtype=np.float32)
        return spaces.Box(np.zeros(2, dtype=np.float32), np.maximum(high, 1), dtype=np.float32)

    def _goal(self, layout: Layout) -> tuple[float, float]:
        return layout.goals[0]

    def _place(self, state: Any) -> Float32Array:
        return np.array(divmod(state, self._cols), dtype=np.float32)

    def _places(self, states: Any) -> Float32Array:
        return np.stack(np.divmod(states, self._cols), axis=1).astype(np.float32)


def action_masks(layout: Layout) -> Mask:
    """(cells, 4) 1 for the actions that lead to another cell, and 1 for all where none does."""
    following = Dynamics(layout).moves.next_state
    masks: Mask = (following != np.arange(layout.num_cells)[:, None]).astype(np.int8)
    masks[~masks.any(axis=1)] = 1
    return masks
