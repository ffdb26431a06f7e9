"""Policies as agents of one environment: do they fit, and what of the steps must they be told?"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from ..core.observations import PLANES
from .playing import bounds_for, output_fn


def actor_for(env: gym.Env[Any, Any], policy: Any, name: str) -> Any:
    """Return what acts in an environment by a policy, after a check that it fits.

    Args:
        env: the environment.
        policy: has `act(observation)` and outputs as a student; if it is recurrent also `reset()`.
        name: name of the policy, for messages.

    Returns:
        A `MapActor` of a policy that keeps a map, or the policy itself.

    Raises:
        ValueError: if the policy does not fit the observations or the actions.
    """
    if keeps_map(policy):
        return MapActor(env, policy, name)
    check_fits(policy, env, name)
    return policy


def keeps_map(policy: Any) -> bool:
    """Return True if a policy keeps a map of a maze that it does not see."""
    return hasattr(policy, "grid")


def sees_mazes(policy: Any) -> bool:
    """Return True if a policy observes planes of whole mazes.

    Networks for mazes of any size that run in torch have no shape.
    """
    shape = getattr(policy, "observation_shape", (PLANES, None, None))
    return len(shape) == 3 and shape[0] == PLANES


class MapActor:
    """Policy that keeps a map of a maze which it does not see, as an agent of one environment.

    The policy observes the number of the cell, its last action and its last reward (see
    `map_state`). Its map outlives episodes, and is cleared where the environment begins another
    run: where its attribute `run` has changed.

    Args:
        env: a maze of cells, whose observation is the number of the cell, alone or as the entry
            "observation" of a `Dict`.
        policy: has `act(observation)`, `reset()`, `memory` and `grid`.
        name: name of the policy, for messages.

    Attributes:
        policy: the policy.

    Raises:
        ValueError: for another environment, or a policy that is written for mazes of another size.
    """

    def __init__(self, env: gym.Env[Any, Any], policy: Any, name: str) -> None:
        self.policy = policy
        self._maze: Any = env.unwrapped
        layout: Any = getattr(self._maze, "layout", None)
        space: Any = env.observation_space
        if isinstance(space, spaces.Dict):
            space = space.get("observation")
        fits = layout is not None and isinstance(space, spaces.Discrete)
        if layout is None or not fits or space.n != layout.rows * layout.cols:
            raise ValueError(
                f"{name} does not fit {_id(env)}: expected a maze of cells with "
                'observation="index" or "experience"'
            )
        try:
            policy.grid = (layout.rows, layout.cols)
        except ValueError as error:
            raise ValueError(
                f"{name} does not fit {layout.rows} x {layout.cols} cells: {error}"
            ) from None
        self._run: Any = None
        self._latest = 0, 0.0  # action and reward
        policy.memory = None

    def reset(self) -> None:
        """Begin an episode; the map is kept."""
        self.policy.reset()

    def act(self, observation: Any) -> int:
        """Return the best action; to be called once for each observation."""
        run = getattr(self._maze, "run", None)
        if run != self._run:
            self.policy.memory, self._run = None, run
        cell = observation["observation"] if isinstance(observation, dict) else observation
        return int(self.policy.act(np.array([cell, *self._latest], dtype=np.float32)))

    def update(
        self,
        observation: Any,
        action: Any,
        reward: float,
        next_observation: Any,
        terminated: bool,
        truncated: bool,
    ) -> None:
        """Remember a step, and see where the episode ended if it did."""
        self._latest = int(action), reward
        if terminated or truncated:
            self.act(next_observation)


def check_fits(policy: Any, env: gym.Env[Any, Any], name: str) -> None:
    """Call a policy once to check that it fits the spaces, before anything is shown.

    Raises:
        ValueError: if it does not fit the observations or the actions.
    """
    where, space = _id(env), env.action_space
    shows_cells = isinstance(env.observation_space, spaces.Dict | spaces.Discrete)
    if shows_cells and hasattr(env.unwrapped, "layout") and sees_mazes(policy):
        raise ValueError(
            f"{name} does not fit {where}: it sees whole mazes and keeps no map; expected "
            'observation="planes", or a student that keeps a map, such as '
            "builtin:map_value_iteration"
        )
    try:
        bounds = bounds_for(policy, space)
        seen = np.asarray(env.observation_space.sample())[None]
        columns = output_fn(policy)(seen).shape[1]
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} does not fit {where}: {reason}") from None
    if isinstance(space, spaces.Discrete) and (space.start, columns) != (0, space.n):
        raise ValueError(
            f"{name} does not fit {where}: it has {columns} actions; expected {space.n}"
        )
    if bounds is not None and columns != 2 * bounds.dimensions:
        raise ValueError(
            f"{name} does not fit {where}: it has {columns} outputs; expected "
            f"{2 * bounds.dimensions}, a mean and a deviation for each of {space}"
        )


def _id(env: gym.Env[Any, Any]) -> str:
    return "the environment" if env.spec is None else env.spec.id
