"""Checkpoints of agents: the parts as arrays, everything else as one JSON document."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.wrappers import TimeLimit

from dynamaze.common.origin import Origin
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_integer, checked_number, shown
from dynamaze.common.version import __version__

from .core.records import part_of
from .core.spaces import Spaces, TableRows, count_actions, describe_spaces, read_spaces

PARTS = ("values", "model", "planning", "exploration")
COUNTERS = ("num_timesteps", "num_episodes", "episode_length", "episode_return", "env_seed")
STREAMS = ("rng", "predict_rng")

WITH_MEMORY = (
    wrappers.DelayObservation,
    wrappers.FrameStackObservation,
    wrappers.NormalizeObservation,
    wrappers.NormalizeReward,
    wrappers.StickyAction,
    wrappers.TimeAwareObservation,
)
"""Wrappers that remember earlier steps; no checkpoint holds that."""

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
        "environment": None if agent.env is None else Origin.of(agent.env)._asdict(),
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
        name = found if found.isidentifier() else shown(found)
        raise CheckpointError(f"checkpoint {path} holds a {name}; expected a {cls.__name__}")
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
        _enter_env(agent, env, document, path)
    return agent


def _enter_env(
    agent: Any, env: str | gym.Env[Any, Any], document: dict[str, Any], path: Any
) -> None:
    """Continue in an environment: in the saved state, or with a new episode in another one.

    Raises:
        CheckpointError: for an environment of other spaces, or a state that the same environment
            refuses; names both.
    """
    try:
        saved = Origin.from_json(document.get("environment"))
    except ValueError as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from None
    label = f"checkpoint {path}" if saved is None else f"checkpoint {path} of {saved}"
    try:
        agent.set_env(env)
    except (TypeError, ValueError) as error:
        if not isinstance(env, str | gym.Env):
            raise
        here = env if isinstance(env, str) else Origin.of(env)
        known = CheckpointError if isinstance(error, ValueError) else TypeError
        raise known(f"{label} cannot continue in {here}: {error}") from None
    here, state = Origin.of(agent.env), document.get("world")
    if saved is not None and saved.is_other(here):
        _warn_of_new_episode(f"{label} continues in {here}, another configuration")
    elif state is not None and (wrapper := _wrapper_with_memory(agent.env)) is not None:
        _warn_of_new_episode(f"{label} has not the memory of {wrapper} in {here}")
    elif state is not None:
        try:
            observation = _observation(document["observation"], agent.spaces.observation)
            if set_env_state(agent.env, state):
                agent.observation = observation
        except Exception as error:  # the environment may be anyone's
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            if saved is not None:
                raise CheckpointError(
                    f"{label} holds a state that {here} refuses: {reason}"
                ) from None
            # Of an earlier version: the file does not say of which environment it is.
            _warn_of_new_episode(f"{label} holds a state that {here} refuses ({reason})")


def _wrapper_with_memory(env: gym.Env[Any, Any]) -> str | None:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, WITH_MEMORY):
            return type(env).__name__
        env = env.env
    return None


def _warn_of_new_episode(reason: str) -> None:
    warnings.warn(
        f"{reason}: what was learned is kept, and a new episode begins there",
        stacklevel=5,  # the call of `load`
    )


def _misfit(path: str | os.PathLike[str], error: Exception) -> CheckpointError:
    return CheckpointError(f"checkpoint {path} does not fit dynamaze {__version__}: {error!r}")


FEW_PAIRS = 10_000
"""Pairs of state and action that an agent may have without as many numbers in its file."""

NETWORK_UNITS = 64
"""Numbers for each input of a network."""


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
    limit = next(_time_limits(env), None)
    return {
        "state": get_state(),
        # The time limit belongs to a wrapper, and no public method returns its count.
        "elapsed_steps": None if limit is None else limit._elapsed_steps,
    }


def set_env_state(env: gym.Env[Any, Any], saved: dict[str, Any]) -> bool:
    """Restore a state of `env_state`; return False if the environment has no `set_state`.

    Raises:
        ValueError: if it is no such state; nothing is changed then.
        Exception: what the environment's `set_state` raises; only that may have changed it.
    """
    set_state = getattr(env.unwrapped, "set_state", None)
    if set_state is None:
        return False
    elapsed = saved["elapsed_steps"]
    if elapsed is not None:
        elapsed = checked_integer("elapsed_steps", elapsed, 0)
    set_state(saved["state"])  # refuses what does not fit, before anything is reset
    env.reset()  # wrappers require a reset before the first step
    set_state(saved["state"])
    for limit in _time_limits(env):
        limit._elapsed_steps = limit._elapsed_steps if elapsed is None else elapsed
    return True


def _time_limits(env: gym.Env[Any, Any]) -> Iterator[TimeLimit[Any, Any]]:
    """Yield the time limits of an environment, the outermost first; all count the same steps."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TimeLimit):
            yield env
        env = env.env


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
    """Return an observation of a space from its JSON values; None for None.

    Raises:
        ValueError, TypeError, OverflowError: if it is not one.
    """
    if plain is None:
        return None
    observation = plain
    if isinstance(space, spaces.Box):
        observation = np.array(plain, dtype=space.dtype)
    elif isinstance(plain, list):
        observation = tuple(plain) if isinstance(space, spaces.Tuple) else np.array(plain)
    if not space.contains(observation):
        raise ValueError(f"observation {shown(plain)}; expected one of {space}")
    return observation
