"""Interfaces of agents: what a factory may return, and what a policy may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from typing import Any

import gymnasium as gym

from dynamaze.agents import Agent


class AgentError(ValueError):
    """An agent without the interface of one, or an action that the environment does not have."""


class AgentKind(Enum):
    """Interface of an agent."""

    OURS = "an agent of dynamaze.agents"
    ACTS = "an object with act"
    LEARNS = "an object with learn and predict"
    PREDICTS = "an object with predict"
    FUNCTION = "a function of observations"


Factory = Callable[..., Any]
"""Called as `factory(env, seed=int)`; returns an agent."""


def is_factory(given: Any) -> bool:
    """Return True for what can be called as `given(env, seed=int)`; a class is one always."""
    if inspect.isclass(given):
        return True
    return callable(given) and not _acts(given) and accepts(given, 1, seed=0)


def make_agent(factory: Any, env: gym.Env[Any, Any], seed: int) -> tuple[Any, AgentKind]:
    """Make the agent of a run from a copy of a factory, or copy a policy.

    Returns:
        The agent and its interface. An object that is no factory is a policy; it learns only where
        it has both `act` and `update`.

    Raises:
        AgentError: for a class that does not accept `(env, seed=...)`, or an agent without the
            interface of one.
    """
    factory = independent_copy(factory)
    if not is_factory(factory):
        return factory, policy_kind(factory)
    if not accepts(factory, env, seed=seed):
        raise AgentError(
            f"{name_of(factory)} cannot be called with (env, seed=...); expected a factory that can"
        )
    agent = factory(env, seed=seed)
    return agent, agent_kind(agent, env)


def independent_copy(given: Any) -> Any:
    """Return a deep copy, or the object itself where it cannot be copied."""
    try:
        return deepcopy(given)
    except Exception:  # an object may refuse with any error
        return given


def agent_kind(agent: Any, env: gym.Env[Any, Any]) -> AgentKind:
    """Return the interface of an agent that a factory made.

    Raises:
        AgentError: if it has none, or if an agent of `dynamaze.agents` has another environment.
    """
    if isinstance(agent, Agent):
        if not _is_inside(env, agent.env):
            raise AgentError(
                f"{name_of(agent)} has the environment {agent.env}; expected the one that its "
                "factory was called with"
            )
        return AgentKind.OURS
    learns = hasattr(agent, "learn") and hasattr(agent, "predict")
    if learns and not (hasattr(agent, "act") and hasattr(agent, "update")):
        return AgentKind.LEARNS
    return policy_kind(agent)


def policy_kind(agent: Any) -> AgentKind:
    """Return the interface of an agent that does not learn by itself.

    Raises:
        AgentError: if it has none.
    """
    if hasattr(agent, "act"):
        return AgentKind.ACTS
    if hasattr(agent, "predict"):
        return AgentKind.PREDICTS
    if callable(agent):
        return AgentKind.FUNCTION
    kinds = "; ".join(kind.value for kind in AgentKind)
    given = "None" if agent is None else f"of type {type(agent).__name__}"
    raise AgentError(f"agent {given}; expected one of: {kinds}")


def name_of(agent: Any) -> str:
    """Return the name of a function or class, or that of an object's class."""
    return getattr(agent, "__name__", type(agent).__name__)


def accepts(function: Any, *arguments: Any, **keywords: Any) -> bool:
    """Return True if a function can be called with these arguments."""
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except (TypeError, ValueError):
        return False
    return True


def takes(function: Any, keyword: str) -> bool:
    """Return True if a function has a parameter of that name."""
    try:
        return keyword in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _is_inside(env: gym.Env[Any, Any], outer: Any) -> bool:
    """Return True if an environment is another one, or inside its wrappers."""
    while outer is not env and isinstance(outer, gym.Wrapper):
        outer = outer.env
    return outer is env


def _acts(given: Any) -> bool:
    return hasattr(given, "act") or hasattr(given, "predict")
