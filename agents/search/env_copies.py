"""Copies of the environment as a model: a search steps through them, and the real one stays."""

from __future__ import annotations

from collections.abc import Hashable
from copy import deepcopy
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from ..core.encoders import ROWS, VECTORS, Encoder, make_encoder
from ..core.spaces import Spaces, TableRows
from ..core.transitions import Transitions

TRANSPARENT = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""Wrappers that change nothing of a step but when an episode is cut short."""

RANDOM_PARTS = ("rng", "uniforms")
"""Names under which a state of `get_state` holds random numbers that are yet to come."""


class CopiedState(NamedTuple):
    """A moment of a copy."""

    observation: Any  # encoded
    world: Any  # what `get_state` gave, or a copy of the environment that is never stepped


class WorldCopies:
    """A simulator, and a model, made of copies of an environment.

    Where the environment has `get_state` and `set_state`, one copy is put into each state in turn;
    otherwise every state is a deep copy of the whole environment, which is slow. The random numbers
    of a copy are drawn anew, so that a search does not foresee chance. It does foresee the changes
    that the environment has planned. Time limits do not count.

    A search begins where the environment now stands: an observation tells too little to put a copy
    there. Toy-text environments tell where they stand; others must be trusted to stand where the
    given observation says.

    Args:
        env: the environment; its `Spaces` for copies that get one later, by `set_env`.
        observes: "rows" or "vectors"; None for rows where the space has them.

    Attributes:
        num_actions: how many actions there are; 0 where they are vectors.

    Raises:
        TypeError: for a space of observations that cannot be encoded.
    """

    capabilities: frozenset[str] = frozenset()

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, observes: str | None = None) -> None:
        given = env if isinstance(env, Spaces) else Spaces(env.observation_space, env.action_space)
        self.observes = _what_fits(given.observation) if observes is None else observes
        self.encoder: Encoder = make_encoder(given.observation, self.observes)
        self.num_actions = self._first_action = 0
        if isinstance(given.action, spaces.Discrete):
            self.num_actions, self._first_action = int(given.action.n), int(given.action.start)
        self._env: gym.Env[Any, Any] | None = None
        self._stage: Any = None  # the one copy that is put into each state
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Copy another environment with the same spaces from now on."""
        self._env, self._stage = env, None
        world: Any = env.unwrapped
        if _is_transparent(env) and hasattr(world, "get_state") and hasattr(world, "set_state"):
            self._stage = _copy(world)

    # -- as a simulator ------------------------------------------------------------------------

    def begin(self, observation: Any) -> CopiedState:
        """Where the environment stands now.

        Raises:
            RuntimeError: without an environment.
            ValueError: if the environment tells that it stands elsewhere.
        """
        if self._env is None:
            raise RuntimeError("there is no environment to copy; give one by set_env")
        world: Any = self._env.unwrapped
        self._check_stands_at(observation, world)
        if self._stage is not None:
            return CopiedState(observation, world.get_state())
        return CopiedState(observation, _copy(self._env))

    def step(
        self, state: CopiedState, action: Any, rng: np.random.Generator
    ) -> tuple[CopiedState, float, bool]:
        """What a copy in this state answers to an action."""
        if self.num_actions:
            action = int(action) + self._first_action
        if self._stage is not None:
            world = self._stage
            world.set_state(_with_new_chances(state.world, rng))
        else:
            world = deepcopy(state.world)
            world.unwrapped.np_random = np.random.Generator(np.random.PCG64(_words(rng, 4)))
        observation, reward, terminated, _, _ = world.step(action)
        after = world.get_state() if self._stage is not None else world
        return (
            CopiedState(self.encoder.one(observation), after),
            float(reward),
            bool(terminated),
        )

    def observation(self, state: CopiedState) -> Any:
        """The row or the (d,) vector that is observed there."""
        return state.observation

    def key(self, state: CopiedState) -> Hashable:
        """The state without the random numbers to come.

        Where the environment has no `get_state`, the observation, which may hide something.
        """
        if self._stage is not None:
            return repr([part for part in state.world.items() if part[0] not in RANDOM_PARTS])
        seen = state.observation
        return seen.tobytes() if isinstance(seen, np.ndarray) else int(seen)

    # -- as a model ----------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """There is nothing to learn."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Copies give no transitions of pairs.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "copies of the environment give no transitions to plan with in the background; "
            'a model that does is "true", or one that is learned'
        )

    def get_state(self) -> dict[str, Any]:
        """Nothing: the environment is saved, not its copies."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""

    # -- inside --------------------------------------------------------------------------------

    def _check_stands_at(self, observation: Any, world: Any) -> None:
        assert self._env is not None  # looked at by `begin`
        if not (hasattr(world, "P") and hasattr(world, "s") and _is_transparent(self._env)):
            return
        if not np.array_equal(self.encoder.one(int(world.s)), observation):
            raise ValueError(
                f"observation {observation} of an environment that stands at {world.s}; copies "
                "look ahead only from where it stands"
            )


def _what_fits(space: spaces.Space[Any]) -> str:
    try:
        TableRows(space)
    except TypeError:
        return VECTORS
    return ROWS


def _is_transparent(env: gym.Env[Any, Any]) -> bool:
    """Whether nothing between the agent and the world has a memory, or changes what is seen."""
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, TRANSPARENT):
            return False
        env = env.env
    return True


def _copy(env: Any) -> Any:
    """A copy that opens no window."""
    copied = deepcopy(env)
    copied.unwrapped.render_mode = None
    return copied


def _with_new_chances(state: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The state with other random numbers to come."""
    new = dict(state)
    if "uniforms" in new:
        new["uniforms"] = []
    if "rng" in new:
        new["rng"] = np.random.PCG64(_words(rng, 4)).state
    return new


def _words(rng: np.random.Generator, count: int) -> list[int]:
    return [int(word) for word in rng.integers(2**32, size=count)]
