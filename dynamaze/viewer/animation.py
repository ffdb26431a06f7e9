"""Episodes as animations for notebooks and video files."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym

from dynamaze.agents import Agent, Step
from dynamaze.agents.policies import ActionFunction, policy_episodes
from dynamaze.common.validation import checked_integer
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.recorder import Animation
from dynamaze.envs.rendering.scene import Frame

from .environment import Camera, check_draws, make_env
from .overlays import overlays_of
from .statistics import RecordStatistics, format_regret
from .view import View
from .window import ViewerWindow

MAX_SIZE = (480, 360)  # largest size of a maze in pixels
MIN_SIZE = (300, 60)


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
    """Play episodes and return them as an animation, which a notebook displays.

    Nothing is learned, and an agent's own environment is copied and left unchanged.

        agent = DynaQ("DynaMaze-v0", seed=1).learn(2_000)
        animate(agent, overlays=["values", "policy"])

    Args:
        policy: an agent of `dynamaze.agents`, a model of Stable-Baselines3 or any other object
            with `predict(observation, deterministic=...)`, or a function from an observation to an
            action.
        env: environment or its id. None: the agent's own, in its present state.
        episodes: number of episodes.
        max_steps: largest total number of steps, because a policy may never reach a goal.
        overlays: names of overlays, keys of `dynamaze.envs.rendering.OVERLAYS` or their titles:
            `visits`, and for an agent also `values`, `q` ("action values"), `policy` and `belief`.
        fps: steps per second.
        seed: of the first reset; None for no seed.
        deterministic: take greedy actions, without exploration.

    Raises:
        ValueError: an overlay that is not available, or a number outside its range.
        TypeError: `policy` is not a policy.
    """
    checked_integer("episodes", episodes, 1)
    checked_integer("max_steps", max_steps, 1)
    act = as_action_function(policy, deterministic=deterministic)
    made = _own_env(policy, env)
    camera = Camera(made, MAX_SIZE)
    recorded = RecordStatistics(made, camera, gamma_of(policy))
    source = overlays_of(policy, camera.maze, recorded, learns=False)
    window = ViewerWindow(View(made, camera, source), display=None, min_size=MIN_SIZE)
    window.show_overlays(overlays)
    steps = _episodes(policy_episodes(act, recorded, seed), episodes, max_steps)
    return Animation(_frames(steps, window, recorded), fps=fps)


def gamma_of(policy: object) -> float:
    """Return the discount of a policy's values; 0.95 if it has none."""
    values = getattr(policy, "values", policy)
    gamma = getattr(values, "gamma", None)
    return float(gamma) if isinstance(gamma, int | float) else 0.95


def as_action_function(policy: Any, *, deterministic: bool) -> ActionFunction:
    """Return a policy as a function from an observation to an action.

    Raises:
        TypeError: `policy` is not a policy.
    """
    if hasattr(policy, "predict"):
        return lambda observation: policy.predict(observation, deterministic=deterministic)[0]
    if callable(policy):
        act: ActionFunction = policy
        return act
    raise TypeError(
        f"policy={policy!r}; expected an agent, a model with predict(observation, "
        "deterministic=...) or a function from an observation to an action"
    )


def _own_env(policy: Any, env: str | gym.Env[Any, Any] | None) -> gym.Env[Any, Any]:
    """Return the given environment, or a new one, or a copy of the agent's own."""
    if isinstance(env, str):
        return make_env(env, table=isinstance(policy, Agent))
    if env is None:
        env = _copied_env(policy)
    check_draws(env)
    return env


def _copied_env(policy: Any) -> gym.Env[Any, Any]:
    """Return a copy of the agent's own environment in its present state."""
    own = policy.env if isinstance(policy, Agent) else None
    if own is None:
        raise ValueError("env=None; expected an environment or its id: the policy has none")
    copied: gym.Env[Any, Any] = copy.deepcopy(own)
    if isinstance(copied.unwrapped, MazeEnv):
        copied.unwrapped.render_mode = "rgb_array"  # mazes record a trail in this mode
    return copied


def _episodes(steps: Iterator[Step], episodes: int, max_steps: int) -> Iterator[Step]:
    """Yield the steps of the first episodes, at most `max_steps`."""
    for number, step in enumerate(steps, 1):
        yield step  # the last step too, before the environment is reset
        ended = step.terminated or step.truncated
        if number == max_steps or (ended and step.episode == episodes - 1):
            return


def _frames(
    steps: Iterator[Step], window: ViewerWindow, recorded: RecordStatistics
) -> Iterator[Frame]:
    """Yield a frame at the start of each episode and one after each step."""
    regret = "0"
    for step in steps:
        if step.episode_length == 1:
            window.views[0].snapshot = recorded.initial_snapshot
            yield window.compose_frame(_fields(step.episode, 0, 0.0, regret), "")
        regret = format_regret(recorded.total_regret)
        window.views[0].snapshot = recorded.final_snapshot
        yield window.compose_frame(
            _fields(step.episode, step.episode_length, step.episode_return, regret), ""
        )


def _fields(episode: int, step: int, total: float, regret: str) -> list[tuple[str, str]]:
    return [
        ("episode", f"{episode + 1:,}"),
        ("step", f"{step:,}"),
        ("return", f"{total:.4g}"),
        ("regret", regret),
    ]
