"""Copies of the environment as a simulator, so that a search leaves the real one unchanged."""

from __future__ import annotations

from collections.abc import Hashable
from copy import deepcopy
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from ..core.encoders import DISCRETE, VECTORS, Encoder, make_encoder
from ..core.records import Stateful
from ..core.spaces import Spaces, TableRows
from ..core.transitions import Transitions

TRANSPARENT = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""Wrappers that change nothing of a step but truncation.

A class of wrappers that only record declares it by `records_only = True`.
"""

RANDOM_PARTS = ("rng", "uniforms")
"""Keys under which a state of `get_state` holds future random numbers."""


class EnvCopies(Stateful):
    """Simulator, and model of search agents, made of copies of an environment.

    Where the environment has `get_state` and `set_state`, one copy is set to each state in turn;
    otherwise each state is a deep copy of the whole environment, which is slow. A copy's random
    numbers are replaced by fresh ones, so that a search does not foresee chance events. It does
    foresee the environment's scheduled changes. Time limits do not apply.

    A search starts at the environment's present state, since a copy cannot be set by an
    observation. For toy-text environments it is checked that the given observation is the present
    one; for others the caller must ensure it.

    Args:
        env: the environment; or its `Spaces`, if `set_env` follows.
        observes: "discrete" or "vectors"; None: "discrete" where the space allows it.

    Attributes:
        num_actions: number of actions; 0 where they are vectors.

    Raises:
        TypeError: for an observation space that cannot be encoded.
    """

    capabilities: frozenset[str] = frozenset()

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, observes: str | None = None) -> None:
        given = env if isinstance(env, Spaces) else Spaces(env.observation_space, env.action_space)
        self.observes = _default_observes(given.observation) if observes is None else observes
        self.encoder: Encoder = make_encoder(given.observation, self.observes)
        self.num_actions = self._first_action = 0
        if isinstance(given.action, spaces.Discrete):
            self.num_actions, self._first_action = int(given.action.n), int(given.action.start)
        self._env: gym.Env[Any, Any] | None = None
        self._scratch: Any = None  # the copy that is set to each state
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Copy another environment with the same spaces from now on."""
        self._env, self._scratch = env, None
        unwrapped: Any = env.unwrapped
        if (
            _is_transparent(env)
            and hasattr(unwrapped, "get_state")
            and hasattr(unwrapped, "set_state")
        ):
            self._scratch = _copy(unwrapped)

    # -- as a simulator ------------------------------------------------------------------------

    def begin(self, observation: Any) -> CopiedState:
        """Return the environment's present state.

        Raises:
            RuntimeError: without an environment.
            ValueError: if the environment is known to be in another state.
        """
        if self._env is None:
            raise RuntimeError("there is no environment to copy; set one with set_env")
        unwrapped: Any = self._env.unwrapped
        self._check_present_state(observation, unwrapped)
        if self._scratch is not None:
            return CopiedState(observation, unwrapped.get_state())
        return CopiedState(observation, _copy(self._env))

    def step(
        self, state: CopiedState, action: Any, rng: np.random.Generator
    ) -> tuple[CopiedState, float, bool]:
        """Step a copy from a state; return the next state, the reward and whether it terminated."""
        if self.num_actions:
            action = int(action) + self._first_action
        if self._scratch is not None:
            copy = self._scratch
            copy.set_state(_with_fresh_randomness(state.env_state, rng))
        else:
            copy = deepcopy(state.env_state)
            copy.unwrapped.np_random = np.random.Generator(np.random.PCG64(_words(rng, 4)))
        observation, reward, terminated, _, _ = copy.step(action)
        after = copy.get_state() if self._scratch is not None else copy
        return (
            CopiedState(self.encoder.one(observation), after),
            float(reward),
            bool(terminated),
        )

    def observation(self, state: CopiedState) -> Any:
        """Return the row or the (d,) vector that is observed in a state."""
        return state.observation

    def key(self, state: CopiedState) -> Hashable:
        """Return a hashable key of a state without its future random numbers.

        Without `get_state` the key is the observation, which may not determine the state.
        """
        if self._scratch is not None:
            return repr([part for part in state.env_state.items() if part[0] not in RANDOM_PARTS])
        seen = state.observation
        return seen.tobytes() if isinstance(seen, np.ndarray) else int(seen)

    # -- as a model ----------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """Do nothing; there is nothing to learn."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Refuse to sample transitions of pairs.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "copies of the environment give no transitions for background planning; "
            'expected model="true" or a learned model'
        )

    # -- helpers -------------------------------------------------------------------------------

    def _check_present_state(self, observation: Any, unwrapped: Any) -> None:
        assert self._env is not None  # checked by `begin`
        if not (hasattr(unwrapped, "P") and hasattr(unwrapped, "s") and _is_transparent(self._env)):
            return
        if not np.array_equal(self.encoder.one(int(unwrapped.s)), observation):
            raise ValueError(
                f"observation {observation} of an environment in state {unwrapped.s}; copies "
                "can only be simulated from the present state"
            )


class CopiedState(NamedTuple):
    """State of a copy."""

    observation: Any  # encoded
    env_state: Any  # of `get_state`, or a copy of the environment that is never stepped


def _default_observes(space: spaces.Space[Any]) -> str:
    try:
        TableRows(space)
    except TypeError:
        return VECTORS
    return DISCRETE


def _is_transparent(env: gym.Env[Any, Any]) -> bool:
    """Return whether no wrapper has memory of its own or changes observations or rewards."""
    while isinstance(env, gym.Wrapper):
        if not (isinstance(env, TRANSPARENT) or getattr(type(env), "records_only", False)):
            return False
        env = env.env
    return True


def _copy(env: Any) -> Any:
    """Return a deep copy that opens no window."""
    copy = deepcopy(env)
    copy.unwrapped.render_mode = None
    return copy


def _with_fresh_randomness(state: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the state with other future random numbers."""
    new = dict(state)
    if "uniforms" in new:
        new["uniforms"] = []
    if "rng" in new:
        new["rng"] = np.random.PCG64(_words(rng, 4)).state
    return new


def _words(rng: np.random.Generator, count: int) -> list[int]:
    return [int(word) for word in rng.integers(2**32, size=count)]
