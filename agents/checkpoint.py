"""Checkpoints of agents: the parts as arrays, everything else as one JSON document."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_integer, checked_number
from dynamaze.common.version import __version__

from .core.records import part_of
from .core.spaces import Spaces, TableRows, count_actions, describe_spaces, read_spaces

PARTS = ("values", "model", "planning", "exploration")
COUNTERS = ("num_timesteps", "num_episodes", "episode_length", "episode_return", "env_seed")
STREAMS = ("rng", "predict_rng")

OLD_NAMES: dict[str, dict[str, str]] = {
    "agent": {"ContinuousSearch": "TrajectoryOptimisation"},
    "argument": {
        "correlation": "temporal_correlation",
        "leaf": "leaf_value",
        "noise": "action_noise_std",
        "plans": "num_candidates",
        "spread": "init_std",
        "untried_value": "first_play_urgency",
    },
    "argument value": {"copies": "simulator"},
    "counter": {"world_seed": "env_seed"},
    "state prefix": {
        "planning.belief": "planning.model_version",
        "planning.record.before.": "planning.record.predecessors.",
        "planning.rule.merges": "planning.rule.transpositions",
        "planning.rule.untried_value": "planning.rule.first_play_urgency",
    },
}
"""Kind of name -> {name in a checkpoint of version 0.1: name of today}."""

AgentType = TypeVar("AgentType", bound=Any)


def write_agent(path: str | os.PathLike[str], agent: Any) -> None:
    """Write an agent's checkpoint.

    Raises:
        TypeError: if a part has no `get_state`.
    """
    arrays: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for part in PARTS:
        own = split_state(getattr(agent, part), part, f"{part}.")
        arrays |= own[0]
        numbers |= own[1]
    document = {
        "agent": type(agent).__name__,
        "dynamaze": __version__,
        "config": {name: _plain(value) for name, value in agent.config.items()},
        "spaces": describe_spaces(agent.spaces),
        "numbers": numbers,
        "counters": {name: getattr(agent, name) for name in COUNTERS},
        "streams": {name: _stream(getattr(agent, name)) for name in STREAMS},
        "observation": _plain(agent.observation),
        "world": None if agent.env is None else env_state(agent.env),
    }
    write_checkpoint(path, arrays, document)


def split_state(part: Any, label: str, prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays and the numbers of a part's state.

    Args:
        part: the part.
        label: name of the part, for the message.
        prefix: prefix of the names.

    Raises:
        TypeError: if the part has no `get_state`.
    """
    try:
        state = part.get_state()
    except (AttributeError, TypeError) as error:
        raise TypeError(
            f"{label} cannot be saved: {error}; a checkpoint needs get_state and set_state"
        ) from error
    arrays: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for name, value in state.items():
        target = arrays if isinstance(value, np.ndarray) else numbers
        target[prefix + name] = value
    return arrays, numbers


def read_agent(
    cls: type[AgentType],
    path: str | os.PathLike[str],
    env: str | gym.Env[Any, Any] | None,
    objects: dict[str, Any],
) -> AgentType:
    """Read an agent of a class from a checkpoint.

    Args:
        cls: the agent's class.
        path: the checkpoint.
        env: environment to continue in, its id, or None.
        objects: name -> the part that was given as an object, or None.

    Raises:
        CheckpointError: for a file that is no such checkpoint.
    """
    arrays, document = read_checkpoint(path)
    found = new_name("agent", str(document.get("agent")))
    if found != cls.__name__:
        raise CheckpointError(f"checkpoint {path} holds a {found}; expected a {cls.__name__}")
    try:
        config = {
            new_name("argument", name): new_name("argument value", value)
            for name, value in document["config"].items()
        }
        for name, part in objects.items():
            if name in config and config[name] is None:
                config[name] = _required(name, part, path)
        spaces = read_spaces(document["spaces"])
        if all(part is None for part in objects.values()):
            check_declared_sizes(spaces, config, arrays)
        agent: AgentType = cls.from_stored(spaces, config)
        _restore(agent, arrays, document)
    except (CheckpointError, ImportError):
        raise
    except Exception as error:  # a forged document raises many types of errors
        raise _misfit(path, error) from None
    if env is not None:
        agent.set_env(env)
        try:
            if document["world"] is not None and set_env_state(agent.env, document["world"]):
                agent.observation = _observation(document["observation"], agent.spaces.observation)
        except Exception as error:  # as above
            raise _misfit(path, error) from None
    return agent


def _misfit(path: str | os.PathLike[str], error: Exception) -> CheckpointError:
    return CheckpointError(f"checkpoint {path} does not fit dynamaze {__version__}: {error!r}")


FEW_PAIRS = 10_000
"""Pairs of state and action that an agent may have without as many numbers in its file."""

NETWORK_UNITS = 64
"""Numbers for each input of a network."""

MOST_HORIZON = 10**6
"""Largest number of steps of a plan."""


def check_declared_sizes(
    pair: Spaces, config: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Check that the arrays in a file are as large as its spaces and arguments declare.

    An agent allocates its tables before its state is set: a few bytes could ask for any size.

    Raises:
        ValueError: if they are smaller.
    """
    num_actions, _ = (
        count_actions(pair.action) if isinstance(pair.action, spaces.Discrete) else (1, 0)
    )
    space = pair.observation
    inputs = (
        math.prod(space.shape or ()) if isinstance(space, spaces.Box) else TableRows(space).size
    )
    each = NETWORK_UNITS if config.get("values") == "network" else num_actions
    stored = sum(array.nbytes for array in arrays.values())
    if inputs * each > FEW_PAIRS and inputs * each * 4 > stored:
        raise ValueError(f"spaces of {inputs * each:,} numbers, and a state of {stored:,} bytes")
    horizon = config.get("horizon", 1)
    if not isinstance(horizon, int) or horizon > MOST_HORIZON:
        raise ValueError(f"horizon={horizon!r}; expected at most {MOST_HORIZON}")


def new_name(kind: str, name: Any) -> Any:
    """Return today's name of something in a checkpoint; other names and values unchanged.

    Args:
        kind: a key of `OLD_NAMES`.
        name: the name in the file.
    """
    return OLD_NAMES[kind].get(name, name) if isinstance(name, str) else name


def _new_state_name(name: str) -> str:
    for old, new in OLD_NAMES["state prefix"].items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def _required(name: str, part: Any, path: str | os.PathLike[str]) -> Any:
    if part is None:
        raise CheckpointError(
            f"checkpoint {path} was saved with a {name} object; pass one like it as {name}=..."
        )
    return part


def _restore(agent: Any, arrays: dict[str, Any], document: dict[str, Any]) -> None:
    """Set the parts' states, the counters and the random number generators."""
    values = {
        _new_state_name(name): value for name, value in {**arrays, **document["numbers"]}.items()
    }
    if "planning.num_states" in values:  # its tables are made before they are filled
        own = TableRows(agent.spaces.observation).size, agent.num_actions
        found = values["planning.num_states"], values["planning.num_actions"]
        if found != own:
            raise ValueError(f"a planner of {found} states and actions; expected {own}")
    for part in PARTS:
        getattr(agent, part).set_state(part_of(part, values))
    counters = {new_name("counter", name): n for name, n in document["counters"].items()}
    for name in COUNTERS:
        if name == "episode_return":
            checked_number(name, counters[name])
        elif name != "env_seed" or counters[name] is not None:
            checked_integer(name, counters[name], 0, 2**62)
    for name in COUNTERS:
        setattr(agent, name, counters[name])
    for name in STREAMS:
        state = document["streams"][name]
        words = np.array(state["state"]["state"], dtype=np.uint64)
        if words.shape != (4,):
            raise ValueError(f"{name} has a state of {words.size} words; expected 4")
        waiting = checked_integer("has_uint32", state["has_uint32"], 0, 1)
        number = checked_integer("uinteger", state["uinteger"], 0, 2**32 - 1)
        getattr(agent, name).bit_generator.state = {
            "bit_generator": state["bit_generator"],
            "state": {"state": words},
            "has_uint32": waiting,
            "uinteger": number,
        }


def _stream(rng: np.random.Generator) -> dict[str, Any]:
    state: Any = rng.bit_generator.state
    return {**state, "state": {"state": [int(word) for word in state["state"]["state"]]}}


def env_state(env: gym.Env[Any, Any]) -> dict[str, Any] | None:
    """Return the environment's complete state; None if it has no `get_state`."""
    get_state = getattr(env.unwrapped, "get_state", None)
    if get_state is None:
        return None
    limit = _time_limit(env)
    return {
        "state": get_state(),
        # The time limit belongs to a wrapper, and no public method returns its count.
        "elapsed_steps": None if limit is None else limit._elapsed_steps,
    }


def set_env_state(env: gym.Env[Any, Any], saved: dict[str, Any]) -> bool:
    """Restore a state of `env_state`; return False if the environment has no `set_state`."""
    set_state = getattr(env.unwrapped, "set_state", None)
    if set_state is None:
        return False
    env.reset()  # wrappers require a reset before the first step
    set_state(saved["state"])
    limit = _time_limit(env)
    if limit is not None and saved["elapsed_steps"] is not None:
        limit._elapsed_steps = saved["elapsed_steps"]
    return True


def _time_limit(env: gym.Env[Any, Any]) -> TimeLimit[Any, Any] | None:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TimeLimit):
            return env
        env = env.env
    return None


def is_plain(argument: Any) -> bool:
    """Return True if a checkpoint can hold an argument, as JSON values, and False for an object."""
    if isinstance(argument, (list, tuple)):
        return all(is_plain(part) for part in argument)
    if isinstance(argument, dict):
        return all(is_plain(part) for part in argument.values())
    return argument is None or isinstance(argument, (bool, int, float, str, np.ndarray, np.number))


def _plain(observation: Any) -> Any:
    """Return an observation or an argument as JSON values."""
    if isinstance(observation, tuple):
        return [_plain(part) for part in observation]
    return observation.tolist() if isinstance(observation, (np.ndarray, np.number)) else observation


def _observation(plain: Any, space: spaces.Space[Any]) -> Any:
    """Return an observation of JSON values.

    Raises:
        ValueError: if it is not in the space.
    """
    if plain is None:
        return None
    if isinstance(space, spaces.Box):
        found: Any = np.array(plain, dtype=space.dtype)
    else:
        found = np.array(plain) if isinstance(plain, list) else plain
    if not space.contains(tuple(found) if isinstance(space, spaces.Tuple) else found):
        raise ValueError(f"observation {plain!r}; expected one of {space}")
    return found
