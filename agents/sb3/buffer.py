"""Replay buffer with simulated transitions, and an adapter between an SB3 algorithm and a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

from ..core.encoders import Actions, DiscreteActions, VectorActions, Vectors
from ..core.transitions import Transitions

optional_import("stable_baselines3", extra="distill", purpose="Dyna for SB3")
import torch  # noqa: E402  # after the message that says how to get it
from stable_baselines3.common.buffers import (  # noqa: E402
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.noise import VectorizedActionNoise  # noqa: E402
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm  # noqa: E402
from stable_baselines3.common.type_aliases import ReplayBufferSamples  # noqa: E402

TIMEOUT = "TimeLimit.truncated"
"""Key of `info` by which Stable-Baselines3 marks a truncated episode."""

OWN = frozenset({"real", "simulated", "on_add", "share", "num_drawn", "num_simulated"})
"""Own attributes; all others are those of the real buffer."""


class MixedReplayBuffer:
    """Replacement of an algorithm's replay buffer that mixes simulated rows into its batches.

    New transitions go into the real buffer and to `on_add`. `share` holds for one training phase:
    the callback sets it before each, and the next real transition resets it to 0. So an algorithm
    that continues without its callback, as after an exception, learns from real experience alone.

    All other attributes, the class and the pickle are those of the real buffer.

    Args:
        real: the algorithm's own buffer.
        simulated: a buffer of the same spaces.
        on_add: called with the arguments of `ReplayBuffer.add`.

    Attributes:
        share: fraction of each batch that is simulated, in [0, 1].
        num_drawn: rows of all batches so far.
        num_simulated: simulated rows of all batches so far.
    """

    def __init__(
        self, real: ReplayBuffer, simulated: ReplayBuffer, on_add: Callable[..., None]
    ) -> None:
        self.real, self.simulated, self.on_add = real, simulated, on_add
        self.share = 0.0
        self.num_drawn = self.num_simulated = 0

    def add(self, *transition: Any, **more: Any) -> None:
        """Add a real transition of each environment to the real buffer."""
        self.real.add(*transition, **more)
        self.share = 0.0
        self.on_add(*transition, **more)

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Sample a batch: real rows first, then the simulated fraction, rounded."""
        simulated = int(self.share * batch_size + 0.5) if self.simulated.size() else 0
        self.num_drawn += batch_size
        self.num_simulated += simulated
        if not simulated:
            return self.real.sample(batch_size, env)
        batch = self.simulated.sample(simulated, env)
        if simulated == batch_size:
            return batch
        return _joined(self.real.sample(batch_size - simulated, env), batch)

    def __getattr__(self, name: str) -> Any:
        if name in OWN:  # before `__init__` has set it
            raise AttributeError(name)
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)

    @property  # type: ignore[misc]  # so that it is an instance of the real buffer's class
    def __class__(self) -> Any:
        return type(self.real)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.real.__reduce_ex__(protocol)


def _joined(one: ReplayBufferSamples, other: ReplayBufferSamples) -> ReplayBufferSamples:
    pairs = zip(one, other, strict=True)  # the last column, discounts, is None
    joined: Any = [torch.cat((a, b)) for a, b in pairs if a is not None and b is not None]
    return ReplayBufferSamples(*joined)


class AlgorithmAdapter:
    """Conversion of an algorithm's observations, actions and transitions to those of models.

    Observations become vectors. Actions are those that the replay buffer stores: integers, or (d,)
    vectors of a `Box` scaled to [-1, 1].

    Args:
        algorithm: an off-policy algorithm that learns from single transitions.

    Raises:
        TypeError: for another algorithm or an unsupported space.
        ValueError: for a buffer with n-step returns.
    """

    def __init__(self, algorithm: Any) -> None:
        _check(algorithm)
        self.algorithm = algorithm
        self.vectors = Vectors(algorithm.observation_space)
        self.actions = _actions(algorithm.action_space)
        self._noise: VectorizedActionNoise | None = None

    def describe(self) -> str:
        """Return the spaces as text."""
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
        """Convert n rows of a buffer's `add` to transitions; time limits do not terminate."""
        n = len(reward)
        return Transitions(
            self._vectors(obs, n),
            self._columns(action, n),
            np.asarray(reward, dtype=np.float64),
            self._vectors(next_obs, n),
            np.asarray(done, dtype=np.bool_) & ~np.asarray(timeout, dtype=np.bool_),
        )

    def buffered_transitions(self, buffer: ReplayBuffer) -> Transitions | None:
        """Return all transitions of a buffer, the oldest first; None with `optimize_memory_usage`.

        Such a buffer does not store the last observation of an episode, and marks time limits as
        ends.
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

    def sample_real_states(
        self, buffer: ReplayBuffer, n: int, rng: np.random.Generator
    ) -> FloatArray:
        """Sample (n, d) vectors uniformly from the stored observations."""
        # With `optimize_memory_usage` the entry at `pos` of a full buffer is the newest next
        # observation, which has no action yet.
        if buffer.optimize_memory_usage and buffer.full:
            places = (rng.integers(1, buffer.buffer_size, size=n) + buffer.pos) % buffer.buffer_size
        else:
            places = rng.integers(buffer.size(), size=n)
        envs = rng.integers(buffer.n_envs, size=n)
        return self._vectors(buffer.observations[places, envs], n)

    def exploring_actions(self, observations: npt.NDArray[Any], rng: np.random.Generator) -> Any:
        """Return (n, ...) actions of the policy as it explores now, for (n, ...) observations.

        An epsilon-greedy algorithm would decide once for all rows whether to explore; here each row
        decides for itself, by `rng`. All other randomness is the algorithm's own, seeded by its
        `seed`.
        """
        algorithm, n = self.algorithm, len(observations)
        normalizer = algorithm.get_vec_normalize_env()
        inputs = observations if normalizer is None else normalizer.normalize_obs(observations)
        if hasattr(algorithm, "exploration_rate"):
            actions, _ = algorithm.predict(inputs, deterministic=True)
            random = rng.random(n) < algorithm.exploration_rate
            return np.where(random, rng.integers(self.actions.count, size=n), actions)
        if algorithm.use_sde:
            algorithm.actor.reset_noise(n)  # reset again by the algorithm before the next real step
        actions, _ = algorithm.predict(inputs, deterministic=False)
        if isinstance(self.actions, DiscreteActions):
            return actions
        scaled = algorithm.policy.scale_action(actions)
        if algorithm.action_noise is None:
            return scaled
        return np.clip(scaled + self._noise_for(n)().reshape(scaled.shape), -1, 1)

    def model_actions(self, actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (n,) or (n, size) actions of models for (n, ...) actions of buffers."""
        return self._columns(actions, len(actions))

    def _noise_for(self, n: int) -> VectorizedActionNoise:
        """Return the algorithm's action noise with one process, just started, per branch."""
        base = self.algorithm.action_noise
        base = base.base_noise if isinstance(base, VectorizedActionNoise) else base
        if self._noise is None or self._noise.n_envs != n or self._noise.base_noise is not base:
            self._noise = VectorizedActionNoise(base, n)
        return self._noise

    def _vectors(self, obs: npt.NDArray[Any], n: int) -> FloatArray:
        shape = self.algorithm.observation_space.shape
        return self.vectors.many(np.asarray(obs).reshape(n, *shape))[0]

    def _columns(self, actions: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
        if isinstance(self.actions, DiscreteActions):
            return np.asarray(actions).reshape(n).astype(np.int64)
        return np.asarray(actions).reshape(n, self.actions.size).astype(np.float64)


def _check(algorithm: Any) -> None:
    kind, buffer = type(algorithm).__name__, getattr(algorithm, "replay_buffer", None)
    if not isinstance(algorithm, OffPolicyAlgorithm):
        raise TypeError(
            f"{kind} has no replay buffer to mix simulated experience into; expected an off-policy "
            "algorithm of Stable-Baselines3 such as DQN, SAC or TD3"
        )
    if isinstance(buffer, DictReplayBuffer):  # HER as well
        raise TypeError(
            f"{kind} with a {type(buffer).__name__}: observation space "
            f"{algorithm.observation_space}; expected one that is not a Dict"
        )
    if isinstance(buffer, NStepReplayBuffer):
        raise ValueError(
            f"{kind} with n_steps={buffer.n_steps}: simulated branches are mixed in step by step; "
            "expected n_steps=1"
        )


def _actions(space: spaces.Space[Any]) -> Actions:
    if isinstance(space, spaces.Discrete):
        return DiscreteActions(int(space.n))
    if isinstance(space, spaces.Box):
        return VectorActions(int(np.prod(space.shape)))
    raise TypeError(f"action space {space}; models of vectors are made for Discrete and Box")
