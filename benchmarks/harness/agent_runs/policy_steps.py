"""Steps of agents that do not learn by themselves: policies, or objects with `act` and `update`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.agents import Step
from dynamaze.agents.policies import policy_episodes
from dynamaze.benchmarks.harness.agent_runs.interfaces import (
    AgentError,
    AgentKind,
    accepts,
    name_of,
    takes,
)


def policy_steps(
    agent: Any, kind: AgentKind, env: gym.Env[Any, Any], seed: int | None = None
) -> Iterator[Step]:
    """Return the steps of an agent that does not learn by itself, one episode after another.

    Args:
        agent: has `act`, `predict`, or is a function of observations. With `act` it may have
            `update`, which is called after each step, and `reset`, before each episode.
        kind: its interface.
        env: the environment.
        seed: of the first reset.

    Raises:
        AgentError: for an `update` with other arguments, or an agent that needs action masks where
            the environment has none.
    """
    policy = PredictPolicy(agent, env) if kind is AgentKind.PREDICTS else agent
    act: Callable[[Any], Any] = agent if kind is AgentKind.FUNCTION else policy.act
    update = _update_of(policy)
    reset = getattr(policy, "reset", None)
    as_action = _action_reader(env)
    return policy_episodes(
        lambda observation: as_action(act(observation)),
        env,
        seed,
        on_reset=reset if reset is not None and accepts(reset) else None,
        update=update,
    )


def _update_of(agent: Any) -> Callable[..., Any] | None:
    """Return an agent's method `update`, or None.

    Raises:
        AgentError: if it has other arguments.
    """
    update: Callable[..., Any] | None = getattr(agent, "update", None)
    if update is not None and not accepts(update, *range(6)):
        raise AgentError(
            f"{name_of(agent)}.update cannot be called with (observation, action, reward, "
            "next_observation, terminated, truncated); expected an update that can"
        )
    return update


class PredictPolicy:
    """Policy of an object with `predict`, as of Stable-Baselines3.

    A recurrent one keeps its state. One whose `predict` takes `action_masks` (MaskablePPO) gets
    those of the environment.

    Raises:
        AgentError: if it takes masks and the environment has no `action_masks()`.
    """

    def __init__(self, agent: Any, env: gym.Env[Any, Any]) -> None:
        self._predict = agent.predict
        self._masks: Callable[[], Any] | None = None
        if takes(self._predict, "action_masks"):
            if not env.has_wrapper_attr("action_masks"):
                raise AgentError(
                    f"{name_of(agent)} needs action masks; expected an environment with "
                    "action_masks()"
                )
            self._masks = env.get_wrapper_attr("action_masks")
        self._is_recurrent = accepts(self._predict, 0, state=None, episode_start=None)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._state: Any = None
        self._starts = True

    def act(self, observation: Any) -> Any:
        """Return the action for an observation."""
        more: dict[str, Any] = {} if self._masks is None else {"action_masks": self._masks()}
        if self._is_recurrent:
            more |= {"state": self._state, "episode_start": np.array([self._starts])}
        answer = self._predict(observation, **more)
        self._starts = False
        if isinstance(answer, tuple) and len(answer) == 2:
            answer, self._state = answer
        return answer


def _action_reader(env: gym.Env[Any, Any]) -> Callable[[Any], Any]:
    """Return a function that reads an action: numbers of any type, as the environment takes them.

    Toy-text takes no arrays, and `Box` no floats of more digits than its own.
    """
    space = env.action_space
    if isinstance(space, spaces.Discrete):
        return lambda action: int(action) if np.ndim(action) == 0 and _is_whole(action) else action
    if isinstance(space, spaces.Box):
        return lambda action: None if action is None else np.asarray(action, dtype=space.dtype)
    return lambda action: action


def _is_whole(action: Any) -> bool:
    return isinstance(action, int | np.integer) or (
        isinstance(action, np.ndarray) and np.issubdtype(action.dtype, np.integer)
    )
