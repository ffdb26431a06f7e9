"""An algorithm of Stable-Baselines3 as models see its world: vectors, actions, real transitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

from ..core.actions import Actions, NumberedActions, VectorActions
from ..core.encoders import Vectors
from ..core.transitions import Transitions

optional_import("stable_baselines3", extra="distill", purpose="Dyna for SB3")
from stable_baselines3.common.buffers import (  # noqa: E402  # after the message
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.noise import VectorizedActionNoise  # noqa: E402
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm  # noqa: E402

TIMEOUT = "TimeLimit.truncated"
"""Where Stable-Baselines3 says in an `info` that an episode was cut short and did not end."""


class World:
    """What an algorithm's buffer holds, as vectors; actions as the buffer stores them.

    Numbered actions are numbers, and those of a `Box` are (d,) vectors scaled to [-1, 1].

    Args:
        algorithm: one that learns off-policy from single transitions.

    Raises:
        TypeError: for an algorithm or a space of another kind.
        ValueError: for a buffer that gives returns of several steps.
    """

    def __init__(self, algorithm: Any) -> None:
        _check(algorithm)
        self.algorithm = algorithm
        self.vectors = Vectors(algorithm.observation_space)
        self.actions = _actions(algorithm.action_space)
        self._noise: VectorizedActionNoise | None = None

    def describe(self) -> str:
        """The spaces, in words."""
        return f"{self.algorithm.observation_space} and {self.algorithm.action_space}"

    def transitions(
        self,
        obs: npt.NDArray[Any],
        next_obs: npt.NDArray[Any],
        action: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        done: npt.NDArray[Any],
        timeout: npt.NDArray[Any],
    ) -> Transitions:
        """Real transitions of n rows, as a buffer is told of them; time limits are no ends."""
        n = len(reward)
        return Transitions(
            self._vectors(obs, n),
            self._columns(action, n),
            np.asarray(reward, dtype=np.float64),
            self._vectors(next_obs, n),
            np.asarray(done, dtype=np.bool_) & ~np.asarray(timeout, dtype=np.bool_),
        )

    def stored(self, buffer: ReplayBuffer) -> Transitions | None:
        """All that a buffer holds, the oldest first; None of one that saves memory.

        Such a buffer has no room for what an episode ended with, and takes time limits for ends.
        """
        if buffer.optimize_memory_usage:
            return None
        order = np.arange(buffer.size())
        order = (order + buffer.pos) % buffer.buffer_size if buffer.full else order
        columns = (
            getattr(buffer, name)[order]
            for name in (
                "observations",
                "next_observations",
                "actions",
                "rewards",
                "dones",
                "timeouts",
            )
        )
        return self.transitions(*(column.reshape(-1, *column.shape[2:]) for column in columns))

    def real_states(self, buffer: ReplayBuffer, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, d) vectors of states in which the algorithm acted, each visit as likely as others."""
        if buffer.optimize_memory_usage and buffer.full:  # at `pos` stands what came last
            places = (rng.integers(1, buffer.buffer_size, size=n) + buffer.pos) % buffer.buffer_size
        else:
            places = rng.integers(buffer.size(), size=n)
        worlds = rng.integers(buffer.n_envs, size=n)
        return self._vectors(buffer.observations[places, worlds], n)

    def explore(self, observations: npt.NDArray[Any], rng: np.random.Generator) -> Any:
        """(n, ...) actions of the policy as it explores now, for (n, ...) observations.

        An epsilon-greedy algorithm would flip one coin for all rows; here each row has its own,
        from `rng`. What else is random is drawn by the algorithm, from the generators that its
        own `seed` settles.
        """
        algorithm, n = self.algorithm, len(observations)
        normalizer = algorithm.get_vec_normalize_env()
        seen = observations if normalizer is None else normalizer.normalize_obs(observations)
        if hasattr(algorithm, "exploration_rate"):
            actions, _ = algorithm.predict(seen, deterministic=True)
            random = rng.random(n) < algorithm.exploration_rate
            return np.where(random, rng.integers(self.actions.count, size=n), actions)
        if algorithm.use_sde:
            algorithm.actor.reset_noise(n)  # it is reset again before the next real step
        actions, _ = algorithm.predict(seen, deterministic=False)
        if isinstance(self.actions, NumberedActions):
            return actions
        scaled = algorithm.policy.scale_action(actions)
        if algorithm.action_noise is None:
            return scaled
        return np.clip(scaled + self._noise_for(n)().reshape(scaled.shape), -1, 1)

    def columns(self, actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(n,) or (n, size) actions as models see them, of (n, ...) as buffers store them."""
        return self._columns(actions, len(actions))

    def _noise_for(self, n: int) -> VectorizedActionNoise:
        """The algorithm's noise, one process for each of n branches, each at its beginning."""
        base = self.algorithm.action_noise
        base = base.base_noise if isinstance(base, VectorizedActionNoise) else base
        if self._noise is None or self._noise.n_envs != n or self._noise.base_noise is not base:
            self._noise = VectorizedActionNoise(base, n)
        return self._noise

    def _vectors(self, obs: npt.NDArray[Any], n: int) -> FloatArray:
        shape = self.algorithm.observation_space.shape
        return self.vectors.many(np.asarray(obs).reshape(n, *shape))[0]

    def _columns(self, actions: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
        if isinstance(self.actions, NumberedActions):
            return np.asarray(actions).reshape(n).astype(np.int64)
        return np.asarray(actions).reshape(n, self.actions.size).astype(np.float64)


def _check(algorithm: Any) -> None:
    kind, buffer = type(algorithm).__name__, getattr(algorithm, "replay_buffer", None)
    if not isinstance(algorithm, OffPolicyAlgorithm):
        raise TypeError(
            f"{kind} has no replay buffer to mix simulated experience into; expected an off-policy "
            "algorithm of Stable-Baselines3 such as DQN, SAC or TD3"
        )
    if isinstance(buffer, DictReplayBuffer):  # hindsight replay too
        raise TypeError(
            f"{kind} with a {type(buffer).__name__}: observation space "
            f"{algorithm.observation_space}; expected one that is no Dict"
        )
    if isinstance(buffer, NStepReplayBuffer):
        raise ValueError(
            f"{kind} with n_steps={buffer.n_steps}: simulated branches are mixed in step by step; "
            "expected n_steps=1"
        )


def _actions(space: spaces.Space[Any]) -> Actions:
    if isinstance(space, spaces.Discrete):
        return NumberedActions(int(space.n))
    if isinstance(space, spaces.Box):
        return VectorActions(int(np.prod(space.shape)))
    raise TypeError(f"action space {space}; models of vectors are made for Discrete and Box")
