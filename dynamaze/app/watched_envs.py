"""Environments with the observations and actions that the watched agents need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym

from dynamaze.agents.core.spaces import Spaces, read_spaces
from dynamaze.benchmarks.harness.agent_runs.resolver import AGENTS, load_sb3_model, read_call
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.storage import CheckpointError, read_checkpoint
from dynamaze.distill.data.acting import keeps_map, sees_mazes
from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv

from ..viewer.environment import make_env

TABLE_AGENT = "DynaQPlus"
"""Default agent where observations can be numbered."""

_LEARNS = {"values": "tile_coding", "learning_rate": 0.3, "initial_value": 1.0}
_SIMULATES = {"values": "tile_coding", "model": "simulator"}
POINT_AGENTS: Mapping[str, Mapping[str, Any]] = {
    "QLearning": _LEARNS,
    "DynaQ": {**_LEARNS, "model": "stored_experience", "planning_steps": 20},
    "SparseSampling": {**_SIMULATES, "width": 2, "depth": 3},
    "MonteCarloSearch": {**_SIMULATES, "simulations": 40, "depth": 25},
    "TreeSearch": {**_SIMULATES, "simulations": 40, "depth": 25},
}
"""Agent -> the arguments that suit a point in a maze, which no table can hold."""

TABLE_ONLY = ("DynaQPlus", "ForwardSearch", "TDSearch", "Dyna2")
"""Agents without another form of values than a table."""

BOX_ACTIONS = (
    "TrajectoryOptimisation",
    "ContinuousTreeSearch",
    "DDPG",
    "SAC",
    "TD3",
    "TQC",
    "CrossQ",
)
"""Agents whose actions are continuous; those of the others of `AGENTS` are discrete."""

DISCRETE_ACTIONS = (*(name for name in AGENTS if name not in BOX_ACTIONS), "DQN", "QRDQN")

SEARCHES = ("ForwardSearch", "SparseSampling", "MonteCarloSearch", "TreeSearch")
"""Agents that find their way in a maze without having seen it."""

GENERATED = "DynaMazeGenerated-v0"

GENERATED_STUDENT = "builtin:value_iteration"
"""Student that is watched in generated mazes: it has not seen them, and a table learns one."""

GRID_OBSERVATIONS = ("index", "coordinates", "one_hot", "planes", "window")
POINT_OBSERVATIONS = ("position", "position_velocity", "rays")


def suited_agent(env_id: str, agent: str | None) -> str:
    """Return the agent that is watched in an environment.

    Args:
        env_id: id of the environment.
        agent: as of `resolve_agent`; None for the default. Arguments that are not given are those
            that suit the environment.

    Raises:
        ValueError: if the agent needs a table and the environment is a point in a maze.
    """
    if not is_point(env_id):
        return TABLE_AGENT if agent is None else agent
    agent = "DynaQ" if agent is None else agent
    name = agent_name(agent)
    if name in TABLE_ONLY:
        expected = ", ".join(each for each in AGENTS if each not in TABLE_ONLY)
        raise ValueError(
            f"agent {agent!r} needs a table, which {env_id} has none of; expected one of {expected}"
        )
    if name not in POINT_AGENTS:
        return agent
    arguments = {**POINT_AGENTS[name], **read_call("agent", agent).arguments}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def is_point(env_id: str) -> bool:
    """Return True if an environment is a point in a maze."""
    entry = ENVIRONMENTS.get(env_id)
    return entry is not None and "Continuous" in entry.name


def agent_name(agent: str) -> str:
    """Return the name of an agent without its arguments."""
    return agent.partition("(")[0].strip()


def make_agent_env(env_id: str, agent: str, options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Make an environment with the observations and actions that an agent needs.

    Args:
        env_id: id of the environment.
        agent: as of `resolve_agent`.
        options: arguments of `gymnasium.make`. An agent that learns in one maze has one level of
            generated mazes, unless `levels` says otherwise.

    Raises:
        gymnasium.error.Error: unknown id.
        ValueError: invalid option, or a file of an agent that cannot be read, or whose spaces the
            environment does not have.
    """
    stored = stored_spaces(agent)
    if stored is not None:
        env = _env_with(env_id, stored, options)
        if not _has(env, stored):
            env.close()
            raise ValueError(
                f"agent {agent!r} has observations {stored.observation} and actions "
                f"{stored.action}; {env_id} has {env.observation_space} and {env.action_space}"
            )
        return env
    name = agent_name(agent)
    if env_id == GENERATED and name in AGENTS and name not in SEARCHES:
        options = {"levels": 1, **options}
    env = make_env(env_id, table=name in AGENTS, **options)
    if isinstance(env.unwrapped, MazeEnv) and not isinstance(env.unwrapped, GridEnv):
        is_discrete = isinstance(env.action_space, gym.spaces.Discrete)
        if name in (BOX_ACTIONS if is_discrete else DISCRETE_ACTIONS):
            env.close()
            return make_env(env_id, action="continuous" if is_discrete else "discrete", **options)
    return env


def student_observation(policy: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option `observation` that a student needs in one of our mazes.

    Args:
        policy: the student.
        options: those of its card, whose planes may have options of their own.
    """
    if keeps_map(policy):
        return {"observation": "index"}
    return {} if "observation" in options or not sees_mazes(policy) else {"observation": "planes"}


@contextmanager
def naming_student(student: str | None, env_id: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Name a student in the error of an environment that does not have its observation.

    Args:
        student: its file.
        env_id: id of the environment.
        options: of the environment, with the student's observation.
    """
    try:
        yield
    except ValueError as error:
        if student is None or f"observation={options.get('observation')!r};" not in str(error):
            raise
        raise ValueError(f"{Path(student).name} does not fit {env_id}: {error}") from None


def given_options(config: Any) -> dict[str, Any]:
    """Return the options of a maze that a command line has."""
    options = {
        name: getattr(config, name) for name in ("layout", "slip_probability", "size", "levels")
    }
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def refusing_options(env_id: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Refuse in one sentence an option that an environment does not have.

    Args:
        env_id: id of the environment.
        options: its arguments.

    Raises:
        ValueError: in place of the TypeError of Gymnasium.
    """
    try:
        yield
    except TypeError as error:
        given = [name for name in options if f"'{name}'" in str(error)]
        if not given:
            raise
        raise ValueError(
            f"{given[0]}={options[given[0]]!r}; {env_id} has no such option"
        ) from error


def stored_spaces(agent: str) -> Spaces | None:
    """Return the spaces of the agent in a file; None for another agent.

    Raises:
        ValueError: if the file cannot be read.
    """
    suffix = Path(agent).suffix
    if suffix == ".zip":
        # By the same path as later, so that Python shows its warning once.
        model = load_sb3_model(Path(agent).resolve())
        return Spaces(model.observation_space, model.action_space)
    if suffix != ".npz":
        return None
    document = read_checkpoint(agent)[1]
    try:
        return read_spaces(document["spaces"])
    except (KeyError, TypeError, ValueError):  # an agent of vectors, with spaces of its own kind
        return None
    except Exception as error:
        raise CheckpointError(f"checkpoint {agent} has no spaces of an agent: {error!r}") from None


def _env_with(env_id: str, stored: Spaces, options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Make an environment with spaces, as far as its observations and actions can be chosen."""
    first = make_env(env_id, **options)
    if isinstance(first.unwrapped, MazeEnv) and not _has(first, stored):
        for choice in _choices(first.unwrapped):
            try:
                env = make_env(env_id, **{**options, **choice})
            except (TypeError, ValueError):  # not every environment has all of them
                continue
            if _has(env, stored):
                first.close()
                return env
            env.close()
    return first


def _choices(maze: MazeEnv) -> Iterator[dict[str, str]]:
    if isinstance(maze, GridEnv):
        yield from ({"observation": name} for name in GRID_OBSERVATIONS)
        return
    for action in ("continuous", "discrete"):
        yield from ({"observation": name, "action": action} for name in POINT_OBSERVATIONS)


def _has(env: gym.Env[Any, Any], stored: Spaces) -> bool:
    return bool(env.observation_space == stored.observation and env.action_space == stored.action)
