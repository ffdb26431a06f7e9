"""Encoders of dictionary observations: with action masks, and with goals for HER."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.configuration import Configurable

from ..mazes.dynamics import NUM_ACTIONS, Dynamics
from ..mazes.layout import Layout
from .encoders import ObservationEncoder, SlotCache, as_entries

Mask = npt.NDArray[np.int8]


class ActionMaskObservation(Configurable):
    """`{"observation": ..., "action_mask": ...}`.

    The mask is 1 for the actions that lead to another cell, and 1 for all if none does.

    Args:
        layout: the first maze.
        of: the encoder of the entry `observation`.
    """

    options: ClassVar = ("of",)
    inner: ClassVar = "index"

    def __init__(self, layout: Layout, of: ObservationEncoder) -> None:
        self._inner = of
        self._masks = SlotCache((layout.num_cells, NUM_ACTIONS), np.int8)
        mask = spaces.MultiBinary(NUM_ACTIONS)
        self.space = spaces.Dict({**as_entries(of.space), "action_mask": mask})

    def load(self, slot: int, layout: Layout) -> None:
        """Compute the action masks of the maze in a slot."""
        self._inner.load(slot, layout)
        masks = self._masks.stale(slot, layout)
        if masks is not None:
            masks[:] = action_masks(layout)

    def encode(self, state: int, slot: int) -> dict[str, Any]:
        """Return the observation of a state; the mask is (4,) int8."""
        mask: Mask = self._masks.arrays[slot, state].copy()
        return {**as_entries(self._inner.encode(state, slot)), "action_mask": mask}

    def encode_batch(self, states: IntArray, slots: IntArray) -> dict[str, Any]:
        """Return the observations of a batch; the masks are (n, 4) int8."""
        masks: Mask = self._masks.arrays[slots, states]
        return {**as_entries(self._inner.encode_batch(states, slots)), "action_mask": masks}


class GoalObservation(Configurable):
    """`{"observation": ..., "achieved_goal": ..., "desired_goal": ...}`, as HER expects it.

    The goals are the coordinates of the agent's cell and of the maze's goal, (2,) float32: row and
    column. The environment's `compute_reward` gives the reward of reaching one (Andrychowicz et al.
    2017); it refuses mazes where that is not the reward of each step (see `envs.goals`).

    Args:
        layout: the first maze.
        of: the encoder of the entry `observation`.
    """

    options: ClassVar = ("of",)
    inner: ClassVar = "coordinates"

    def __init__(self, layout: Layout, of: ObservationEncoder) -> None:
        self._inner = of
        self._cols = layout.cols
        self._goals = SlotCache((2,), np.float32)
        goal_space = self._space(layout)
        self.space = spaces.Dict(
            {**as_entries(of.space), "achieved_goal": goal_space, "desired_goal": goal_space}
        )

    def load(self, slot: int, layout: Layout) -> None:
        """Store the goal of the maze in a slot."""
        self._inner.load(slot, layout)
        goal = self._goals.stale(slot, layout)
        if goal is not None:
            goal[:] = self._goal(layout)

    def encode(self, state: Any, slot: int) -> dict[str, Any]:
        """Return the observation of a state."""
        return {
            **as_entries(self._inner.encode(state, slot)),
            "achieved_goal": self._achieved(state),
            "desired_goal": self._goals.arrays[slot].copy(),
        }

    def encode_batch(self, states: Any, slots: IntArray) -> dict[str, Any]:
        """Return the observations of a batch; the goals are (n, 2) float32."""
        return {
            **as_entries(self._inner.encode_batch(states, slots)),
            "achieved_goal": self._achieved_batch(states),
            "desired_goal": self._goals.arrays[slots],
        }

    # -- overridden where agents are points -------------------------------------------------------

    def _space(self, layout: Layout) -> spaces.Box:
        high = np.array([layout.rows - 1, layout.cols - 1], dtype=np.float32)
        return spaces.Box(np.zeros(2, dtype=np.float32), np.maximum(high, 1), dtype=np.float32)

    def _goal(self, layout: Layout) -> tuple[float, float]:
        return layout.goals[0]

    def _achieved(self, state: Any) -> Float32Array:
        return np.array(divmod(state, self._cols), dtype=np.float32)

    def _achieved_batch(self, states: Any) -> Float32Array:
        return np.stack(np.divmod(states, self._cols), axis=1).astype(np.float32)


def action_masks(layout: Layout) -> Mask:
    """Return (cells, 4): 1 for actions that lead to another cell, and 1 for all if none does."""
    next_state = Dynamics(layout).moves.next_state
    masks: Mask = (next_state != np.arange(layout.num_cells)[:, None]).astype(np.int8)
    masks[~masks.any(axis=1)] = 1
    return masks
