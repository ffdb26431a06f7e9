"""Environments with the observations and actions that the watched agents need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym

from dynamaze.agents.core.spaces import Spaces, read_spaces
from dynamaze.benchmarks.harness.agent_runs.resolver import AGENTS, load_sb3_model
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.storage import CheckpointError, read_checkpoint
from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv

from ..viewer.environment import make_env

TABLE_AGENT = "DynaQPlus"
"""Default agent where observations can be numbered."""

_LEARNS = 'values="tile_coding", learning_rate=0.3, initial_value=1.0'
_SIMULATES = 'values="tile_coding", model="simulator", simulations=40, depth=25'
POINT_AGENTS = {
    "QLearning": f"QLearning({_LEARNS})",
    "DynaQ": f'DynaQ({_LEARNS}, model="stored_experience", planning_steps=20)',
    **{name: f"{name}({_SIMULATES})" for name in ("MonteCarloSearch", "TreeSearch")},
}
"""Name without arguments -> the agent with those that suit a point in a maze: it has no table."""

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

GRID_OBSERVATIONS = ("index", "coordinates", "one_hot", "planes", "window")
POINT_OBSERVATIONS = ("position", "position_velocity", "rays")


def suited_agent(env_id: str, agent: str | None) -> str:
    """Return the agent that is watched in an environment.

    Args:
        env_id: id of the environment.
        agent: as of `resolve_agent`; None for the default. A name alone has the arguments that suit
            the environment.
    """
    entry = ENVIRONMENTS.get(env_id)
    if entry is not None and "Continuous" in entry.name:
        return POINT_AGENTS.get(agent or "DynaQ", agent or "")
    return agent or TABLE_AGENT


def make_agent_env(env_id: str, agent: str, options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Make an environment with the observations and actions that an agent needs.

    Args:
        env_id: id of the environment.
        agent: as of `resolve_agent`.
        options: arguments of `gymnasium.make`. An agent that learns in one maze has one level of
            generated mazes, unless `levels` says otherwise.

    Raises:
        gymnasium.error.Error: unknown id.
        ValueError: invalid option, or a file of an agent that cannot be read.
    """
    stored = stored_spaces(agent)
    if stored is not None:
        return _env_with(env_id, stored, options)
    name = agent.partition("(")[0].strip()
    if env_id == GENERATED and name in AGENTS and name not in SEARCHES:
        options = {"levels": 1, **options}
    env = make_env(env_id, table=name in AGENTS, **options)
    if isinstance(env.unwrapped, MazeEnv) and not isinstance(env.unwrapped, GridEnv):
        is_discrete = isinstance(env.action_space, gym.spaces.Discrete)
        if name in (BOX_ACTIONS if is_discrete else DISCRETE_ACTIONS):
            env.close()
            return make_env(env_id, action="continuous" if is_discrete else "discrete", **options)
    return env


def stored_spaces(agent: str) -> Spaces | None:
    """Return the spaces of the agent in a file; None for another agent.

    Raises:
        ValueError: if the file cannot be read.
    """
    suffix = Path(agent).suffix
    if suffix == ".zip":
        model = load_sb3_model(agent)
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
