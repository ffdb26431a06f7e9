"""The true world of continuous actions as a model, where it can imagine."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from ...core.encoders import VECTORS, Vectors
from ...core.spaces import Spaces
from ...core.transitions import Transitions


class TrueVectors:
    """What an environment itself says that follows any vectors and actions.

    The environment offers `env.unwrapped.imagine(observations, actions, rng)`, which gives for
    (batch, ...) observations and actions the observations that follow, (batch,) rewards and
    (batch,) terminated, and does not move the environment.

    Args:
        env: the environment; its `Spaces` for a model that gets one later, by `set_env`.

    Raises:
        TypeError: for an environment that does not imagine.
    """

    observes = VECTORS
    capabilities: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, env: gym.Env[Any, Any] | Spaces) -> None:
        space = env.observation if isinstance(env, Spaces) else env.observation_space
        self._vectors = Vectors(space)
        self._world: Any = None
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Be the model of another environment with the same spaces.

        Raises:
            TypeError: if it does not imagine.
        """
        if not hasattr(env.unwrapped, "imagine"):
            raise TypeError(
                f"{type(env.unwrapped).__name__} has no `imagine(observations, actions, rng)`; "
                'expected one that has, or model="copies", which steps through copies of any'
            )
        self._world = env.unwrapped

    def update(self, transitions: Transitions) -> None:
        """There is nothing to learn."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """No pairs are remembered.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("the world itself remembers no pairs to draw from")

    def imagine(
        self, observations: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> Transitions:
        """What follows (batch, d) vectors and (batch, size) actions.

        Raises:
            RuntimeError: if there was no environment yet.
        """
        if self._world is None:
            raise RuntimeError("there is no environment to ask; give one by set_env")
        seen = self._vectors.observations(observations)
        following, reward, terminated = self._world.imagine(seen, actions, rng)
        vectors, _ = self._vectors.many(following)
        return Transitions(observations, actions, reward, vectors, terminated)

    def get_state(self) -> dict[str, Any]:
        """Nothing: the world is saved by itself."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""
