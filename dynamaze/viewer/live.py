"""Window and film of an agent of one's own, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.agents import Agent
from dynamaze.benchmarks.harness.agent_runs.interfaces import is_factory, name_of, policy_kind
from dynamaze.common.validation import checked_integer, checked_number
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.recorder import Animation
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import require_display

from .animation import MAX_SIZE, gamma_of
from .animation import MIN_SIZE as FILM_MIN_SIZE
from .environment import check_draws, make_env
from .runs import Watchable, WatchedRun
from .session import HELP, Controls, ViewerSession
from .watched_agents import WatchedPolicy, watchable_agent
from .window import MIN_SIZE, ViewerWindow, max_size_on_desktop, open_window

WITHOUT_DISPLAY = "without one, dynamaze.viewer.record makes a film"


def watch(
    agent: Any,
    env: str | gym.Env[Any, Any] | None = None,
    *,
    steps: int | None = None,
    fps: float = 30,
    overlays: Sequence[str] = (),
    dark: bool = False,
    seed: int | None = None,
) -> str:
    """Watch an agent in a window, while it learns if it can.

    The keys are those of `dynamaze watch`; H shows them. An agent of `dynamaze.agents` and an
    object with `act` and `update` learn themselves, not a copy, so that they have learned when the
    window is closed.

        agent = DynaQ("DynaMazeBlocking-v0", seed=1)
        watch(agent, overlays=["values", "policy"])
        watch(lambda observation: 1, "DynaMaze-v0")

    Args:
        agent: an agent of `dynamaze.agents`; an object with `act(observation)` and, if it learns,
            `update`; a model of Stable-Baselines3, which acts; a function of observations; or a
            factory called as `agent(env, seed=int)`, such as a class or `partial(PPO,
            "MlpPolicy")`, whose agent also learns by `learn`.
        env: environment or its id. None: the agent's own.
        steps: end after this number of steps; None when the window is closed.
        fps: steps per second; 0 for unlimited.
        overlays: names or titles of overlays that are shown from the beginning.
        dark: cover the cells of which the agent knows nothing.
        seed: of the environment's first reset, and of the agent that a factory makes; None for
            another one each time.

    Returns:
        One line about the run; "" if no step was taken.

    Raises:
        ImportError: pygame-ce is missing or broken.
        RuntimeError: there is no display.
        ValueError: an overlay that is not available, no environment, one that does not fit the
            agent or does not render frames, or a number outside its range.
        TypeError: `env` is no environment.
    """
    if steps is not None:
        checked_integer("steps", steps, 1)
    controls = Controls(checked_number("fps", fps, 0))
    require_display(WITHOUT_DISPLAY)
    with _run(agent, env, max_size_on_desktop(), steps=steps, dark=dark, seed=seed) as run:
        window = ViewerWindow(
            run.view,
            display=open_window(run.title),
            help_lines=HELP,
            min_size=MIN_SIZE,
            clock=controls.clock,
        )
        window.show_overlays([*overlays, *(["belief"] if dark else [])])
        with window:
            ViewerSession(window, controls, run).run(steps)
        return run.summary()


def record(
    agent: Any,
    env: str | gym.Env[Any, Any] | None = None,
    *,
    steps: int = 200,
    fps: float = 8,
    overlays: Sequence[str] = (),
    dark: bool = False,
    seed: int | None = None,
) -> Animation:
    """Return a film of an agent that learns, which a notebook plays and `save` writes.

    No display and no network are needed. `animate` shows what an agent has learned instead.

        record(partial(DynaQ, planning_steps=50), "DynaMaze-v0", overlays=["values"], seed=1)

    Args:
        agent: as of `watch`.
        env: as of `watch`.
        steps: number of steps; each is a frame.
        fps: steps per second.
        overlays: names or titles of overlays.
        dark: cover the cells of which the agent knows nothing.
        seed: as of `watch`.

    Raises:
        ValueError, TypeError: as `watch`.
    """
    checked_integer("steps", steps, 1)
    with _run(agent, env, MAX_SIZE, steps=steps, dark=dark, seed=seed) as run:
        window = ViewerWindow(run.view, display=None, min_size=FILM_MIN_SIZE)
        window.show_overlays([*overlays, *(["belief"] if dark else [])])
        return Animation(_frames(run, window, steps), fps=fps)


def _frames(run: WatchedRun, window: ViewerWindow, steps: int) -> Iterator[Frame]:
    for step in islice(run.steps(), steps):
        run.add(step)
        run.show_latest()
        yield window.compose_frame(run.fields(), run.note())


@contextmanager
def _run(
    agent: Any,
    env: str | gym.Env[Any, Any] | None,
    max_size: tuple[int, int],
    *,
    steps: int | None,
    dark: bool,
    seed: int | None,
) -> Iterator[WatchedRun]:
    """Give the run of an agent; afterwards agent and environment are as before, but for learning.

    Args:
        agent: as of `watch`.
        env: as of `watch`.
        max_size: largest (width, height) of the picture, in pixels.
        steps: number of steps, if it is known.
        dark: as of `watch`.
        seed: as of `watch`.
    """
    drawn = int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1) if seed is None else seed
    with ExitStack() as stack:
        made = _env_of(agent, env)
        if isinstance(env, str):
            stack.callback(made.close)
        stack.enter_context(_drawn(made))
        if isinstance(agent, Agent):
            stack.callback(partial(_give_back, agent, agent.env))
        make = partial(_watchable, agent, seed=drawn, steps=steps)
        yield WatchedRun(
            _name_of(agent), made, make, gamma=gamma_of(agent), max_size=max_size, dark=dark
        )


def _env_of(agent: Any, env: str | gym.Env[Any, Any] | None) -> gym.Env[Any, Any]:
    """Return the environment, a new one of an id, or the agent's own.

    Raises:
        ValueError: there is none, or it does not render frames.
        TypeError: it is no environment.
    """
    if isinstance(env, str):
        of = agent.func if isinstance(agent, partial) else agent
        ours = isinstance(of, Agent) or (isinstance(of, type) and issubclass(of, Agent))
        return make_env(env, table=ours)
    own = agent.env if env is None and isinstance(agent, Agent) else env
    if own is None:
        raise ValueError("env=None; expected an environment or its id: the agent has none")
    if not isinstance(own, gym.Env):
        raise TypeError(f"env={own!r}; expected an environment or its id")
    check_draws(own)
    return own


@contextmanager
def _drawn(env: gym.Env[Any, Any]) -> Iterator[None]:
    """Let a maze record its trail, and give it back with its own render mode and overlays."""
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv):
        yield
        return
    before = maze.render_mode, maze.overlays
    maze.render_mode = "rgb_array"  # mazes record a trail in this mode
    try:
        yield
    finally:
        maze.render_mode, maze.overlays = before


def _give_back(agent: Agent, env: gym.Env[Any, Any] | None) -> None:
    """Return an agent to its own environment, where it begins a new episode."""
    agent.env, agent.observation = env, None


def _watchable(agent: Any, env: gym.Env[Any, Any], *, seed: int, steps: int | None) -> Watchable:
    """Return an agent that takes its steps one at a time.

    Raises:
        ValueError: an agent that does not fit the environment, or without the interface of one.
    """
    if isinstance(agent, Agent):
        agent.set_env(env)
        return agent
    if is_factory(agent):
        return watchable_agent(agent, env, seed, steps)
    return WatchedPolicy(agent, policy_kind(agent), env, seed)


def _name_of(agent: Any) -> str:
    """Return the name of an agent, or of what makes it."""
    named: Callable[..., Any] = agent.func if isinstance(agent, partial) else agent
    name = name_of(named)
    return "function" if name == "<lambda>" else name
