"""What the agent sees: one keyword, four forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.messages import did_you_mean

from .schedule import Schedule

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Index:
    """The cell's number, ``row * cols + col``."""

    def __init__(self, schedule: Schedule) -> None:
        self.space = spaces.Discrete(schedule.layouts[0].num_cells)

    def one(self, state: int, phase: int) -> int:
        """The observation of a state: an int."""
        return state

    def many(self, states: IntArray, phases: IntArray) -> IntArray:
        """The observations of several: (n,) int64."""
        return states.copy()


class Coordinates:
    """The cell's row and column."""

    def __init__(self, schedule: Schedule) -> None:
        self._shape = schedule.layouts[0].walls.shape
        self.space = spaces.MultiDiscrete(list(self._shape))

    def one(self, state: int, phase: int) -> IntArray:
        """The observation of a state: (2,) int64."""
        return np.array(divmod(state, self._shape[1]))

    def many(self, states: IntArray, phases: IntArray) -> IntArray:
        """The observations of several: (n, 2) int64."""
        return np.stack(np.divmod(states, self._shape[1]), axis=1)


class OneHot:
    """A vector with a 1 at the cell's number."""

    def __init__(self, schedule: Schedule) -> None:
        self._num_states = schedule.layouts[0].num_cells
        self.space = spaces.Box(0.0, 1.0, (self._num_states,), np.float32)

    def one(self, state: int, phase: int) -> FloatArray:
        """The observation of a state: (states,) float32."""
        observation = np.zeros(self._num_states, dtype=np.float32)
        observation[state] = 1.0
        return observation

    def many(self, states: IntArray, phases: IntArray) -> FloatArray:
        """The observations of several: (n, states) float32."""
        observation = np.zeros((len(states), self._num_states), dtype=np.float32)
        observation[np.arange(len(states)), states] = 1.0
        return observation


class Planes:
    """Three planes of the maze as it is now: walls, agent, goals."""

    def __init__(self, schedule: Schedule) -> None:
        rows, cols = schedule.layouts[0].walls.shape
        self._without_agent = np.zeros((len(schedule.layouts), 3, rows, cols), dtype=np.float32)
        for phase, layout in enumerate(schedule.layouts):
            self._without_agent[phase, 0] = layout.walls
            for goal in layout.goals:
                self._without_agent[(phase, 2, *goal)] = 1.0
        self._cols = cols
        self.space = spaces.Box(0.0, 1.0, (3, rows, cols), np.float32)

    def one(self, state: int, phase: int) -> FloatArray:
        """The observation of a state: (3, rows, cols) float32."""
        observation: FloatArray = self._without_agent[phase].copy()
        observation[(1, *divmod(state, self._cols))] = 1.0
        return observation

    def many(self, states: IntArray, phases: IntArray) -> FloatArray:
        """The observations of several: (n, 3, rows, cols) float32."""
        observation = self._without_agent[phases]
        rows, cols = np.divmod(states, self._cols)
        observation[np.arange(len(states)), 1, rows, cols] = 1.0
        return observation


Observation = Index | Coordinates | OneHot | Planes

OBSERVATIONS: dict[str, Callable[[Schedule], Any]] = {
    "index": Index,
    "coordinates": Coordinates,
    "one_hot": OneHot,
    "planes": Planes,
}


def make_observation(name: str, schedule: Schedule) -> Observation:
    """The form of observation of that name.

    Raises:
        ValueError: if there is none, naming those that are.
    """
    if not isinstance(name, str) or name not in OBSERVATIONS:
        raise ValueError(
            f"observation={name!r}; expected one of {sorted(OBSERVATIONS)}"
            f"{did_you_mean(name, OBSERVATIONS)}"
        )
    observation: Observation = OBSERVATIONS[name](schedule)
    return observation
