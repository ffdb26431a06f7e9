"""An episode that shows itself: in a notebook, or saved as a film."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym

from dynamaze.agents import Agent, Step
from dynamaze.common.validation import checked_number
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering import Animation
from dynamaze.envs.rendering.scene import Frame

from .environment import Camera
from .making import make_env
from .overlays import Insight, Nothing
from .policies import Act, act_for_ever
from .statistics import written
from .window import Screen
from .witness import Witness

ROOM = (480, 360)  # pixels for a maze
LEAST_ROOM = (300, 60)


def animate(
    policy: Any,
    env: str | gym.Env[Any, Any] | None = None,
    *,
    episodes: int = 1,
    max_steps: int = 300,
    overlays: Sequence[str] = (),
    fps: float = 8,
    seed: int | None = None,
    deterministic: bool = True,
) -> Animation:
    """Play episodes, and show them: the last line of a notebook's cell is enough.

    Nobody learns, and an agent's own environment stays as it is: it is copied.

        agent = DynaQ("DynaMaze-v0", seed=1).learn(2_000)
        animate(agent, overlays=["values", "policy"])

    Args:
        policy: an agent of `dynamaze.agents`, a model of Stable-Baselines3 or whatever else has
            `predict(observation, deterministic=...)`, or a function from an observation to an
            action.
        env: where, or its id. None is the agent's own, as it is now: with what changed in it.
        episodes: how many.
        max_steps: ends the film in any case: a policy may walk in a circle.
        overlays: what is laid over the maze, keys of `dynamaze.envs.rendering.OVERLAYS`: of an
            agent `values`, `q`, `policy` and `belief`, in any case `visits`.
        fps: steps shown in a second.
        seed: of the first reset; None seeds nothing.
        deterministic: whether the best actions are taken, without exploring.

    Raises:
        ValueError: an overlay that is not to be had, or a number outside its range.
        TypeError: something that is no policy.
    """
    checked_number("episodes", episodes, 1, whole=True)
    checked_number("max_steps", max_steps, 1, whole=True)
    act = as_function(policy, deterministic=deterministic)
    made = _own_env(policy, env)
    camera = Camera(made, ROOM)
    witness = Witness(made, camera, gamma_of(policy))
    maze = camera.maze
    source = (
        Nothing("only mazes have overlays")
        if maze is None
        else Insight(policy, maze, witness, learns=False)
    )
    screen = Screen(made, camera=camera, window=None, source=source, min_size=LEAST_ROOM)
    screen.show_overlays(overlays)
    steps = _episodes(act_for_ever(act, witness, seed), episodes, max_steps)
    return Animation(_frames(steps, screen, witness), fps=fps)


def gamma_of(policy: object) -> float:
    """The discount with which a policy was learned; 0.95 where it does not say."""
    values = getattr(policy, "values", policy)
    gamma = getattr(values, "gamma", None)
    return float(gamma) if isinstance(gamma, int | float) else 0.95


def as_function(policy: Any, *, deterministic: bool) -> Act:
    """The action that a policy takes, as a function of the observation.

    Raises:
        TypeError: something that is no policy.
    """
    if hasattr(policy, "predict"):
        return lambda observation: policy.predict(observation, deterministic=deterministic)[0]
    if callable(policy):
        act: Act = policy
        return act
    raise TypeError(
        f"policy={policy!r}; expected an agent, a model with predict(observation, "
        "deterministic=...) or a function from an observation to an action"
    )


def _own_env(policy: Any, env: str | gym.Env[Any, Any] | None) -> gym.Env[Any, Any]:
    """The environment to play in: one that nobody else uses, unless it was given."""
    if isinstance(env, str):
        return make_env(env, table=isinstance(policy, Agent))
    if env is None:
        env = _copied_env(policy)
    if not isinstance(env.unwrapped, MazeEnv) and env.render_mode != "rgb_array":
        raise ValueError(
            f"an environment with render_mode={env.render_mode!r}; expected 'rgb_array', as in "
            "gymnasium.make(id, render_mode='rgb_array')"
        )
    return env


def _copied_env(policy: Any) -> gym.Env[Any, Any]:
    """The agent's own world as it is now, for ourselves."""
    own = policy.env if isinstance(policy, Agent) else None
    if own is None:
        raise ValueError("env=None; expected an environment or its id: the policy has none")
    copied: gym.Env[Any, Any] = copy.deepcopy(own)
    if isinstance(copied.unwrapped, MazeEnv):
        copied.unwrapped.render_mode = "rgb_array"  # it keeps a trail then
    return copied


def _episodes(steps: Iterator[Step], episodes: int, max_steps: int) -> Iterator[Step]:
    """The steps of the first episodes, but no more than so many."""
    for number, step in enumerate(steps, 1):
        yield step
        ended = step.terminated or step.truncated
        if number == max_steps or (ended and step.episode == episodes - 1):
            return


def _frames(steps: Iterator[Step], screen: Screen, witness: Witness) -> Iterator[Frame]:
    """A frame for each step, and one at the start of each episode."""
    lost = "0"
    for step in steps:
        if step.episode_length == 1:
            screen.moment = witness.departure
            yield screen.frame(_fields(step.episode, 0, 0.0, lost), "")
        lost = written(None if witness.regret is None else witness.regret.total)
        screen.moment = witness.arrival
        yield screen.frame(
            _fields(step.episode, step.episode_length, step.episode_return, lost), ""
        )


def _fields(episode: int, step: int, total: float, lost: str) -> list[tuple[str, str]]:
    return [
        ("episode", f"{episode + 1:,}"),
        ("step", f"{step:,}"),
        ("return", f"{total:.4g}"),
        ("regret", lost),
    ]
