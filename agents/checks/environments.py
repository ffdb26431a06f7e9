"""Small environments in which parts and agents are checked, with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray, IntArray

from ..core.transitions import Transitions

TERMINAL = 4
Row = tuple[int, int, float, int, bool]


@dataclass(frozen=True)
class CheckEnvironment:
    """Test environment: five states, the last one terminal, and three actions."""

    vectors: bool = False  # True: observations are one-hot vectors, not row numbers
    num_states: int = 5
    num_actions: int = 3
    gamma: float = 0.9  # discount factor with which values are checked

    @property
    def size(self) -> int:
        """Length of an observation's one-hot vector."""
        return self.num_states

    @property
    def low(self) -> FloatArray:
        """Lower bounds of the vectors, (size,)."""
        return np.zeros(self.size)

    @property
    def high(self) -> FloatArray:
        """Upper bounds of the vectors, (size,)."""
        return np.ones(self.size)

    def observations(self, states: Sequence[int] | IntArray) -> Any:
        """Return (batch,) int64 states, or their (batch, size) float64 vectors."""
        numbers = np.array(states, dtype=np.int64)
        return np.eye(self.size)[numbers] if self.vectors else numbers

    def states(self, observations: Any) -> IntArray:
        """Return the (batch,) states of observations; the nearest ones of vectors."""
        found: IntArray = np.asarray(observations)
        return found.argmax(axis=1) if self.vectors else found.astype(np.int64)

    def batch(self, rows: Sequence[Row]) -> Transitions:
        """Return transitions of (state, action, reward, next state, terminated), in new arrays."""
        state, action, reward, following, ended = zip(*rows, strict=True) if rows else ((),) * 5
        return Transitions(
            self.observations(state),
            np.array(action, dtype=np.int64),
            np.array(reward, dtype=np.float64),
            self.observations(following),
            np.array(ended, dtype=np.bool_),
        )


def deterministic_rows() -> list[Row]:
    """Return each pair of a deterministic environment once; one leads to the terminal state."""
    rows = []
    for state in range(TERMINAL):
        for action in range(3):
            following = (state + action) % TERMINAL if (state, action) != (3, 2) else TERMINAL
            rows.append((state, action, (state + 2 * action) / 4, following, following == TERMINAL))
    return rows


def optimal_values(gamma: float) -> FloatArray:
    """Return the (states, actions) optimal values of the deterministic environment.

    The terminal state's are 0.
    """
    values = np.zeros((TERMINAL + 1, 3))
    # Value iteration (Sutton & Barto 2018, section 4.4) until float64 changes no more.
    while True:
        after = np.zeros_like(values)
        for state, action, reward, following, ended in deterministic_rows():
            after[state, action] = reward + gamma * (not ended) * values[following].max()
        if np.array_equal(after, values):
            return values
        values = after


class Corridor(gym.Env[Any, Any]):
    """Corridor with its goal at the right end: the smallest problem that needs planning.

    States 0 to length - 1, then the goal; the start is state 0. Actions: 0 left, 1 right; left of
    state 0 is state 0. The step into the goal has reward 1 and ends the episode.

    Args:
        length: number of states before the goal.
        start: number of the first state and of the first action, as in `Discrete(n, start=...)`.
        vectors: observe the position in [0, 1] as a vector of one number.

    Attributes:
        s: the present state, from 0.
        P: state -> action -> list of (probability, next state, reward, terminated), both from 0, as
            in Gymnasium's toy-text environments: the true model.
        num_steps: steps over all episodes.
    """

    LEFT, RIGHT = 0, 1

    def __init__(self, length: int = 3, *, start: int = 0, vectors: bool = False) -> None:
        self.length, self.start, self.vectors = length, start, vectors
        self.observation_space: spaces.Space[Any] = (
            spaces.Box(0.0, 1.0, (1,), np.float64)
            if vectors
            else spaces.Discrete(length + 1, start=start)
        )
        self.action_space = spaces.Discrete(2, start=start)
        self.s = 0
        self.P = {
            state: {action: [(1.0, *self._outcome(state, action))] for action in range(2)}
            for state in range(length + 1)
        }
        self.num_steps = 0

    def optimal_values(self, gamma: float) -> FloatArray:
        """Return the (states, actions) optimal values, the goal's row 0 included.

        Q*(s, right) = gamma^(length - 1 - s), and Q*(s, left) = gamma max_a Q*(s - 1, a), that is
        gamma^(length + 1 - s); in state 0, left leads back to it: gamma^length.
        """
        states = np.arange(self.length)
        right = gamma ** (self.length - 1.0 - states)
        left = gamma ** np.minimum(self.length + 1.0 - states, self.length)
        return np.vstack([np.column_stack([left, right]), np.zeros(2)])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return to state 0."""
        super().reset(seed=seed)
        self.s = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move one state to the left or to the right."""
        self.s, reward, done = self._outcome(self.s, int(action) - self.start)
        self.num_steps += 1
        return self._observation(), reward, done, False, {}

    def _outcome(self, state: int, action: int) -> tuple[int, float, bool]:
        """Return the next state, the reward and whether the episode ends."""
        if state == self.length:  # terminal
            return state, 0.0, True
        following = max(state + (1 if action == self.RIGHT else -1), 0)
        done = following == self.length
        return following, float(done), done

    def _observation(self) -> Any:
        if self.vectors:
            return np.array([self.s / self.length])
        return np.int64(self.s + self.start)


def generator(seed: int) -> np.random.Generator:
    """Return a random generator of the kind that agents use."""
    return np.random.Generator(np.random.SFC64(seed))
