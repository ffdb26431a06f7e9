"""Observation of an agent that is not shown the maze: its cell, its last action and last reward."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.registry import Registry

from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Layout
from .encoders import OBSERVATIONS, EncoderKinds, ObservationEncoder, as_entries

NO_ACTION = NUM_ACTIONS
"""Last action at the beginning of an episode."""

LARGEST = float(np.finfo(np.float32).max)
"""Bound of the last reward, which is clipped: checkers warn of infinite bounds."""


class ExperienceObservation(Configurable):
    """`{"observation": ..., "last_action": ..., "last_reward": ...}`.

    The last action is 4, and the last reward 0, at the beginning of an episode. The environment
    adds those of a step (`after_step`), which no state of the agent has.

    Args:
        layout: the first maze.
        of: the encoder of the entry `observation`, the agent's cell.
    """

    options: ClassVar = ("of",)
    inner: ClassVar = "index"

    def __init__(self, layout: Layout, of: ObservationEncoder) -> None:
        self._inner = of
        self.space = spaces.Dict(
            {
                **as_entries(of.space),
                "last_action": spaces.Discrete(NUM_ACTIONS + 1),
                "last_reward": spaces.Box(-LARGEST, LARGEST, (1,), np.float32),
            }
        )

    def load(self, slot: int, layout: Layout) -> None:
        """Pass the maze in a slot on."""
        self._inner.load(slot, layout)

    def encode(self, state: int, slot: int) -> dict[str, Any]:
        """Return the observation of a state at the beginning of an episode."""
        return {
            **as_entries(self._inner.encode(state, slot)),
            "last_action": NO_ACTION,
            "last_reward": np.zeros(1, dtype=np.float32),
        }

    def encode_batch(self, states: IntArray, slots: IntArray) -> dict[str, Any]:
        """Return the observations of a batch at the beginning of an episode."""
        return {
            **as_entries(self._inner.encode_batch(states, slots)),
            "last_action": np.full(len(states), NO_ACTION),
            "last_reward": np.zeros((len(states), 1), dtype=np.float32),
        }


def after_step(observation: Any, action: Any, reward: Any) -> Any:
    """Return an observation after a step; one without the last action is returned unchanged."""
    if not isinstance(observation, dict) or "last_action" not in observation:
        return observation
    last = np.clip([reward], -LARGEST, LARGEST).astype(np.float32)
    return {**observation, "last_action": int(action), "last_reward": last}


def after_steps(observation: Any, actions: IntArray, rewards: FloatArray) -> Any:
    """Return a batch of observations with last actions and rewards; see `after_step`."""
    if not isinstance(observation, dict) or "last_action" not in observation:
        return observation
    last = np.clip(rewards, -LARGEST, LARGEST).astype(np.float32)[:, None]
    return {**observation, "last_action": actions.copy(), "last_reward": last}


EXPERIENCE_OBSERVATIONS: EncoderKinds = Registry(
    "observation",
    {
        "experience": ExperienceObservation,
        **{name: OBSERVATIONS[name] for name in ("index", "coordinates", "one_hot")},
    },
    __package__,
)
"""The kinds that show nothing of the maze."""
