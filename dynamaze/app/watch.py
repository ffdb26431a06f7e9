"""`dynamaze watch`: an agent that learns in a window."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium as gym
import numpy as np
import tyro

from dynamaze.agents import DynaQ, DynaQPlus, QLearning
from dynamaze.benchmarks.harness.agent_runs.resolver import is_policy, named_text, resolve_agent
from dynamaze.distill.data.acting import keeps_map
from dynamaze.distill.export.load import LoadedPolicy, open_policy
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.window import require_display

from ..common.options import (
    Count,
    Fraction,
    NonNegative,
    OutputFile,
    PlanningSteps,
    PositiveFraction,
    Range,
    Seed32,
    Size,
    check_numbers,
)
from ..common.registration import ENVIRONMENTS
from ..common.validation import naming, shown
from ..viewer.comparison import Comparison, room_of_each
from ..viewer.environment import make_env, with_drawn_changes
from ..viewer.policies import FixedPolicyAgent, MapPolicyAgent
from ..viewer.runs import Watchable, WatchedRun
from ..viewer.session import HELP, SEVERAL_HELP, Controls, ViewerSession
from ..viewer.watched_agents import watchable_agent
from ..viewer.window import (
    MIN_SIZE,
    MOUSE_KEYS,
    OVERLAY_KEYS,
    SHARED_KEYS,
    ViewerWindow,
    max_size_on_desktop,
    open_window,
)
from .watched_envs import (
    GENERATED,
    GENERATED_STUDENT,
    agent_name,
    given_options,
    make_agent_env,
    naming_student,
    refusing_options,
    student_observation,
    suited_agent,
)

KEYS = (
    "space: pause or continue;  N or right arrow: one step;  + and -: speed;  Esc or Q: end\n"
    f"{OVERLAY_KEYS}"
)

WITHOUT_DISPLAY = (
    "without one, agents learn by agent.learn(total_timesteps), and --save FILE --steps N makes a "
    "video"
)

TABLE_AGENTS = ("DynaQPlus", "DynaQ", "QLearning")
"""Agents with options of their own."""

TABLE_OPTIONS = ("planning_steps", "learning_rate", "epsilon", "kappa", "model")
"""Options of `TABLE_AGENTS` alone."""

FILM_SIZE, SEVERAL_FILM_SIZE = (400, 300), (250, 200)
"""Largest (width, height) of a picture in a film that is made without a window, in pixels: 200
steps of an agent in the book's mazes take some 300 KB."""

FILM_MIN_SIZE = (396, 60)
"""Smallest (width, height) above the strip in such a film."""

DRAWN_STEPS = 10_000
"""World steps up to which several agents have random changes, without --steps."""

DEFAULT_ENV_ID = "DynaMazeShortcut-v0"
"""Id of the environment, unless another one is given."""

NumSteps = Annotated[int, Range(0, limit=10**15)]


@dataclass(frozen=True)
class Watch:
    """Watch an agent learn in a window.

    Keys: space pauses and continues, N or the right arrow takes a single step, + and - change the
    speed, Esc or Q ends. 1 to 9 show overlays: state values, action values, policy, visit counts,
    predicted walls, planning updates, search tree visits, trail, changed walls; 0 hides all. V
    starts and stops a video, P saves a picture, F11 fills the screen, H shows all keys. The window
    can be resized.

    Mouse: a click builds or opens a wall, dragging edits several, while the agent learns or is
    paused; a right click moves the goal, shift and a click the start.

    The strip shows the episode, the world step, the episode's return, the mean length of the
    latest 10 episodes, and the regret: the loss of all actions so far in discounted return compared
    with optimal ones. A color bar belongs to state and action values; cells without a color have
    none, because they were never tried, or are goals, where no action is chosen. The defaults suit
    the changing mazes of Sutton & Barto (2018), chapter 8.
    """

    env_id: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = None
    """Id of the environment; Gymnasium's own (FrozenLake-v1, Taxi-v4) can be watched as well. By
    default DynaMazeShortcut-v0, or the environment of the policy."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="AGENT")] = None
    """The agent: DynaQPlus, DynaQ or QLearning with the options below; another name, such as
    random, TreeSearch or PPO, also with arguments: "DynaQ(model='linear')"; a file (.safetensors,
    .onnx, .npz, .zip); builtin:NAME, a student that comes with the package (`dynamaze distill card`
    lists them); or module:name or path/file.py:name of your own. By default DynaQPlus, Dyna-Q with
    tile coding for a point in a maze, and in generated mazes a student that plans in mazes that it
    has not seen, unless --levels, --overlay, --dark or an option of a table agent is given. Agents
    that learn in one maze see one of the generated mazes, unless --levels is given."""
    policy: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The same as --agent, for a distilled student: .safetensors, .onnx or builtin:NAME."""
    agents: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[AGENT ...]")] = ()
    """Several agents side by side, each as of --agent or LABEL=AGENT: the same maze with the same
    changes, and the regret of all below. A click does not edit the mazes then."""
    planning_steps: PlanningSteps = 50
    """Simulated steps after each real step, n (not QLearning)."""
    learning_rate: PositiveFraction = 1.0
    """Step size, alpha; 1 suits deterministic environments, 0.1 stochastic ones."""
    gamma: Fraction = 0.95
    """Discount, of the agent and of the regret."""
    epsilon: Fraction = 0.1
    """Probability of a random action."""
    kappa: NonNegative = 1e-3
    """Weight of the bonus for pairs not tried for a long time (DynaQPlus only)."""
    model: Literal["latest_outcome", "maximum_likelihood", "stored_experience"] = "latest_outcome"
    """Model of the environment (not QLearning)."""
    steps: Annotated[NumSteps | None, tyro.conf.arg(metavar="N")] = None
    """End after this number of steps. By default when the window is closed."""
    fps: NonNegative = 30
    """Steps per second; 0 for unlimited."""
    seed: Annotated[Seed32 | None, tyro.conf.arg(metavar="N")] = None
    """Seed of all random numbers. By default each run is different."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another layout: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    size: Annotated[Size | None, tyro.conf.arg(metavar="N")] = None
    """Rows and columns of generated mazes."""
    levels: Annotated[Count | None, tyro.conf.arg(metavar="N")] = None
    """Number of generated mazes that take turns."""
    slip_probability: Annotated[Fraction | None, tyro.conf.arg(metavar="P")] = None
    """Probability that a step goes to one side of the chosen direction."""
    overlay: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]")] = ()
    """Overlays shown from the beginning: state-values, action-values, policy, visit-counts,
    predicted-walls, planning-updates."""
    dark: bool = False
    """Cover the cells of which the agent knows nothing; shows the walls that it predicts."""
    save: Annotated[OutputFile | None, tyro.conf.arg(metavar="FILE")] = None
    """Record a video: a name in .gif, .png or .mp4. Together with --steps it needs no display, and
    shows its progress."""


def main(config: Watch) -> None:
    """Let the agent learn in the window, and print a summary.

    Raises:
        ValueError: a number outside its range, an invalid layout, an overlay that is not available,
            an unknown agent, or a policy that cannot be read or does not fit the environment.
        TypeError: an environment whose spaces are not discrete.
        gymnasium.error.Error: unknown id.
        RuntimeError: no display, unless a video of a number of steps is recorded.
        OSError: the video of `save` cannot be written.
    """
    config = _checked(config)
    visible = display_available(config)
    envs: list[gym.Env[Any, Any]] = []
    try:
        session = make_session(config, Controls(config.fps), envs, visible=visible)
        watched, window = session.watched, session.window
        if config.save is not None:
            with naming(f"save={os.fspath(config.save)!r}"):
                window.recorder.start(config.save)
        keys = [KEYS, *([] if config.agents else [MOUSE_KEYS]), SHARED_KEYS] if visible else []
        print("\n".join([opening_message(watched.title, envs[0]), *keys]), flush=True)
        try:
            with window:
                session.run(config.steps, progress=config.save is not None)
        finally:
            if summary := watched.summary():
                print(summary)
            for path in window.recorder.saved:
                print(f"saved {path}")
        if config.save is not None and window.recorder.error is not None:
            error = window.recorder.error
            raise OSError(f"{config.save} was not written: {error}") from error
    finally:
        for env in envs:
            env.close()


def display_available(config: Watch) -> bool:
    """Return True if there is a display.

    Raises:
        RuntimeError: there is none, and no video of a number of steps is recorded.
    """
    try:
        require_display(WITHOUT_DISPLAY)
    except RuntimeError:
        if config.save is None or config.steps is None:
            raise
        return False
    return True


def make_watched_env(
    config: Watch, student: LoadedPolicy | None = None, *, own_maze: bool = True
) -> gym.Env[Any, Any]:
    """Make the environment, with the observations that the agent or the student needs.

    Args:
        config: the options.
        student: content of the policy's file.
        own_maze: False if other agents act in the same maze: of the environment that the policy
            was trained in, only the observation is taken.

    Raises:
        ValueError, gymnasium.error.Error: as `main`.
    """
    options, student_env_id = {}, None
    if student is not None:
        options = dict(student.card.environment)
        student_env_id = options.pop("id", None)
    env_id = _env_id(config, student_env_id)
    if env_id != student_env_id or not own_maze:  # only the observation applies to another maze
        names = {"observation"} & set(options) if env_id in ENVIRONMENTS else set()
        options = {name: options[name] for name in names}
    if student is not None and env_id in ENVIRONMENTS:
        options |= student_observation(student.policy, options)
    options |= given_options(config)
    with refusing_options(env_id, options):
        if student is None:
            return make_agent_env(env_id, suited_agent(env_id, config.agent), options)
        with naming_student(config.policy, env_id, options):
            return make_env(env_id, **options)


def make_session(
    config: Watch,
    controls: Controls,
    envs: list[gym.Env[Any, Any]],
    *,
    visible: bool = True,
) -> ViewerSession:
    """Make the session with its agent, or with several side by side.

    Args:
        config: the options.
        controls: speed, pause and end.
        envs: receives the environment of each agent, to be closed at the end.
        visible: open a window.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: as `main`.
    """
    configs = _configs_of_agents(config) if config.agents else [(None, config)]
    if not visible:
        size = SEVERAL_FILM_SIZE if config.agents else FILM_SIZE
    elif config.agents:
        size = room_of_each(len(configs), max_size_on_desktop())
    else:
        size = max_size_on_desktop()
    runs = [_make_run(each, name, envs, size) for name, each in configs]
    comparison = Comparison(*runs) if config.agents else None
    watched = runs[0] if comparison is None else comparison
    window = ViewerWindow(
        *(run.view for run in runs),
        display=open_window(watched.title) if visible else None,
        arrangement=comparison,
        help_lines=HELP if comparison is None else SEVERAL_HELP,
        min_size=MIN_SIZE if visible else FILM_MIN_SIZE,
        clock=controls.clock,
    )
    window.show_overlays([*config.overlay, *(["belief"] if config.dark else [])])
    return ViewerSession(window, controls, watched)


def _make_run(
    config: Watch, name: str | None, envs: list[gym.Env[Any, Any]], size: tuple[int, int]
) -> WatchedRun:
    """Make the environment and the agent.

    Args:
        config: the options.
        name: of one of several agents; None for a single one, which has the name of its options.
        envs: receives the environment.
        size: largest (width, height) of the picture, in pixels.
    """
    student = None if config.policy is None else open_policy(config.policy)
    env = make_watched_env(config, student, own_maze=name is None)
    env_id = _id(env)
    if name is None:
        named = config.policy or config.agent or agent_name(suited_agent(env_id, None))
        label = named if student is None else Path(named).name
    else:
        assert config.seed is not None
        env, label = with_drawn_changes(env, config.seed, config.steps or DRAWN_STEPS), name
    envs.append(env)

    def make(recorded: gym.Env[Any, Any]) -> Watchable:
        if student is None:
            return make_agent(config, recorded)
        kind = MapPolicyAgent if keeps_map(student.policy) else FixedPolicyAgent
        return kind(recorded, student.policy, label, config.seed)

    return WatchedRun(
        label,
        env,
        make,
        gamma=config.gamma,
        max_size=size,
        dark=config.dark,
        env_id=env_id,
    )


def _configs_of_agents(config: Watch) -> list[tuple[str | None, Watch]]:
    """Return the name and the options of each of several agents.

    Options of the table agents apply to these alone.
    """
    env_id = _env_id(config)
    common = replace(
        config,
        env_id=env_id,
        agents=(),
        seed=_drawn_seed() if config.seed is None else config.seed,
        # All agents must see the same mazes, and some learn in one alone.
        levels=1 if env_id == GENERATED and config.levels is None else config.levels,
    )
    others = replace(common, **{name: getattr(Watch, name) for name in TABLE_OPTIONS})
    named = [named_text(text) for text in config.agents]
    is_table = [suited_agent(env_id, text) in TABLE_AGENTS for _, text in named]
    return [
        (name, _checked(replace(common if table or not any(is_table) else others, agent=text)))
        for (name, text), table in zip(named, is_table, strict=True)
    ]


def _drawn_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0] >> 1)


def make_agent(config: Watch, env: gym.Env[Any, Any]) -> Watchable:
    """Make the agent that the options specify.

    Raises:
        TypeError: an environment whose spaces are not discrete.
        ValueError: a number outside its range, or an unknown agent.
    """
    name = suited_agent(_id(env), config.agent)
    factory = _table_agent(config, name) if name in TABLE_AGENTS else resolve_agent(name)
    seed = _drawn_seed() if config.seed is None else config.seed
    with naming(f"agent {shown(config.agent or agent_name(name))}"):
        return watchable_agent(factory, env, seed, config.steps)


def _table_agent(config: Watch, name: str) -> Callable[..., Watchable]:
    """Return the factory of one of `TABLE_AGENTS`."""
    arguments: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "epsilon": config.epsilon,
    }
    if name == "QLearning":
        return partial(QLearning, **arguments)
    arguments |= {"planning_steps": config.planning_steps, "model": config.model}
    if name == "DynaQ":
        return partial(DynaQ, **arguments)
    return partial(DynaQPlus, **arguments, kappa=config.kappa)


def opening_message(title: str, env: gym.Env[Any, Any]) -> str:
    """Return the agents, the environment and its changes in one line."""
    maze = env.unwrapped
    changes = ""
    if isinstance(maze, MazeEnv) and not maze.schedule.by_episode:
        steps = ", ".join(f"{step:,}" for step in maze.schedule.steps[1:9])
        changes = f", which changes at step {steps}" if steps else ""
    return f"{title}{changes}."


def _env_id(config: Watch, default: str | None = None) -> str:
    return (default or DEFAULT_ENV_ID) if config.env_id is None else config.env_id


def _id(env: gym.Env[Any, Any]) -> str:
    return "" if env.spec is None else env.spec.id


def _checked(config: Watch) -> Watch:
    """Return the options after checking them; a student given as the agent is the policy.

    Raises:
        ValueError: a number outside its range, or an option of the table agents for another one.
    """
    check_numbers(config)
    if config.agents:
        for name in ("agent", "policy"):
            if getattr(config, name) is not None:
                raise ValueError(
                    f"{name}={getattr(config, name)!r} with agents; expected one of them"
                )
        return config
    if config.agent is not None and is_policy(config.agent):
        if config.policy is not None:
            raise ValueError(
                f"agent {config.agent!r} and policy {config.policy!r}; expected one of them"
            )
        config = replace(config, policy=config.agent, agent=Watch.agent)
    if _suits_student(config):
        return replace(config, policy=GENERATED_STUDENT)
    agent = suited_agent(_env_id(config), config.agent)
    if agent not in TABLE_AGENTS:
        named = agent_name(agent)
        for name in TABLE_OPTIONS:
            value = getattr(config, name)
            if value != getattr(Watch, name):
                raise ValueError(
                    f"{name}={value!r} with agent {named!r} in this environment; expected it in "
                    f'parentheses, as in --agent "DynaQ({name}={value!r})"'
                )
    return config


def _suits_student(config: Watch) -> bool:
    """Return True for new mazes, which no table can learn, if no option asks for a table."""
    asked = (*TABLE_OPTIONS, "overlay", "dark")
    is_given = any(getattr(config, name) != getattr(Watch, name) for name in asked)
    return (
        config.agent is None
        and config.policy is None
        and config.levels is None
        and _env_id(config) == GENERATED
        and not is_given
    )
