"""Agents in files: the parts as arrays, everything else as one JSON document."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.version import __version__

from .core.spaces import describe_spaces, read_spaces

PARTS = ("values", "model", "planning", "exploration")
COUNTERS = ("num_timesteps", "num_episodes", "episode_length", "episode_return", "world_seed")
STREAMS = ("rng", "predict_rng")

AgentType = TypeVar("AgentType", bound=Any)


def write_agent(path: str | os.PathLike[str], agent: Any) -> None:
    """Write an agent's checkpoint.

    Raises:
        TypeError: if a part has no `get_state`.
    """
    arrays: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for part in PARTS:
        try:
            state = getattr(agent, part).get_state()
        except AttributeError as error:
            raise TypeError(
                f"{part} cannot be saved: {error}; a checkpoint needs get_state and set_state"
            ) from error
        for name, value in state.items():
            target = arrays if isinstance(value, np.ndarray) else numbers
            target[f"{part}.{name}"] = value
    document = {
        "agent": type(agent).__name__,
        "dynamaze": __version__,
        "config": {name: _plain(value) for name, value in agent.config.items()},
        "spaces": describe_spaces(agent.spaces),
        "numbers": numbers,
        "counters": {name: getattr(agent, name) for name in COUNTERS},
        "streams": {name: _stream(getattr(agent, name)) for name in STREAMS},
        "observation": _plain(agent.observation),
        "world": None if agent.env is None else world_state(agent.env),
    }
    write_checkpoint(path, arrays, document)


def read_agent(
    cls: type[AgentType],
    path: str | os.PathLike[str],
    env: str | gym.Env[Any, Any] | None,
    objects: dict[str, Any],
) -> AgentType:
    """The agent of a checkpoint; `objects` are the parts that were given as objects, by name."""
    arrays, document = read_checkpoint(path)
    found = document.get("agent")
    if found != cls.__name__:
        raise CheckpointError(f"checkpoint {path} holds a {found}; expected a {cls.__name__}")
    try:
        config = dict(document["config"])
        for name, part in objects.items():
            if name in config and config[name] is None:
                config[name] = _needed(name, part, path)
        agent: AgentType = cls(read_spaces(document["spaces"]), **config)
        _take_back(agent, arrays, document)
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"checkpoint {path} does not fit dynamaze {__version__}: {error!r}"
        ) from None
    if env is not None:
        agent.set_env(env)
        if document["world"] is not None and set_world_state(agent.env, document["world"]):
            agent.observation = _observation(document["observation"], agent.spaces.observation)
    return agent


def _needed(name: str, part: Any, path: str | os.PathLike[str]) -> Any:
    if part is None:
        raise CheckpointError(
            f"checkpoint {path} was saved with a {name} object; pass one like it as {name}=..."
        )
    return part


def _take_back(agent: Any, arrays: dict[str, Any], document: dict[str, Any]) -> None:
    values = {**arrays, **document["numbers"]}
    for part in PARTS:
        prefix = f"{part}."
        getattr(agent, part).set_state(
            {name[len(prefix) :]: values[name] for name in values if name.startswith(prefix)}
        )
    for name in COUNTERS:
        setattr(agent, name, document["counters"][name])
    for name in STREAMS:
        state = document["streams"][name]
        words = np.array(state["state"]["state"], dtype=np.uint64)
        getattr(agent, name).bit_generator.state = {**state, "state": {"state": words}}


def _stream(rng: np.random.Generator) -> dict[str, Any]:
    state: Any = rng.bit_generator.state
    return {**state, "state": {"state": [int(word) for word in state["state"]["state"]]}}


def world_state(env: gym.Env[Any, Any]) -> dict[str, Any] | None:
    """All that the world's future depends on; None if the environment cannot tell."""
    get_state = getattr(env.unwrapped, "get_state", None)
    if get_state is None:
        return None
    limit = _time_limit(env)
    return {
        "state": get_state(),
        # The time limit is a wrapper's, and no public method tells how far it has counted.
        "elapsed_steps": None if limit is None else limit._elapsed_steps,
    }


def set_world_state(env: gym.Env[Any, Any], world: dict[str, Any]) -> bool:
    """Put the world back; False if the environment cannot do that."""
    set_state = getattr(env.unwrapped, "set_state", None)
    if set_state is None:
        return False
    env.reset()  # the wrappers want to have seen a reset
    set_state(world["state"])
    limit = _time_limit(env)
    if limit is not None and world["elapsed_steps"] is not None:
        limit._elapsed_steps = world["elapsed_steps"]
    return True


def _time_limit(env: gym.Env[Any, Any]) -> TimeLimit[Any, Any] | None:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TimeLimit):
            return env
        env = env.env
    return None


def _plain(observation: Any) -> Any:
    """An observation or an argument as JSON."""
    if isinstance(observation, tuple):
        return [_plain(part) for part in observation]
    return observation.tolist() if isinstance(observation, (np.ndarray, np.number)) else observation


def _observation(plain: Any, space: spaces.Space[Any]) -> Any:
    if isinstance(space, spaces.Box):
        return np.array(plain, dtype=space.dtype)
    return np.array(plain) if isinstance(plain, list) else plain
