"""`dynamaze watch`: an agent learning live in a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium as gym
import tyro

from dynamaze.agents import DynaQ, DynaQPlus, QLearning
from dynamaze.distill.export.policy_file import Opened, open_policy
from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering import require_display

from ..common.registration import ENVIRONMENTS
from ..viewer.controls import Controls
from ..viewer.environment import Camera
from ..viewer.keys import NUMBER_KEYS
from ..viewer.making import make_env
from ..viewer.overlays import Insight, Nothing
from ..viewer.policies import Acting, Random
from ..viewer.session import HELP, Learner, Show
from ..viewer.statistics import Diary
from ..viewer.window import ROOM, Screen, open_window, room_on_desktop
from ..viewer.witness import Witness

KEYS = (
    "space: pause or go on;  N or right arrow: one step;  + and -: speed;  Esc or Q: end\n"
    f"{',  '.join(f'{key}: {name}' for key, name in NUMBER_KEYS.items())},  0: no overlays\n"
    "click or drag: walls;  right click: goal;  shift+click: start\n"
    "V: film;  P: picture;  H: help"
)

INSTEAD = (
    "without one, agents learn by agent.learn(total_timesteps), and --save FILE --steps N makes a "
    "film"
)

DEFAULT = "DynaMazeShortcut-v0"
"""Where agents are watched, unless something else is asked for."""

PLANES = (3, None, None)
"""What students of whole mazes observe: walls, agent and goals, of any size."""


@dataclass(frozen=True)
class Watch:
    """Watch an agent learn, live, in a window.

    Keys: space pauses and goes on, N or the right arrow takes a single step, + and - change the
    speed, Esc or Q ends. 1 to 9 lay over the maze what the agent knows: state values, action
    values, policy, visits, the walls its model believes in, the planner's last updates, a search
    tree, the trail, what changed; 0 takes all away. V begins and ends a film, P saves a picture, H
    shows all keys.

    Mouse: a click builds or opens a wall, dragging paints, while the agent learns or pauses; a
    right click moves the goal, shift and a click the start.

    The strip tells the episode, the world's clock, the episode's return, the mean length of the
    last 10 episodes, and the regret: what all actions so far have lost against the best ones, in
    discounted return. The settings suit the book's changing mazes.
    """

    env_id: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = None
    """The environment; other ones of Gymnasium (FrozenLake-v1, Taxi-v4) can be watched as well. By
    default DynaMazeShortcut-v0, or what a policy was made for."""
    agent: Literal["DynaQPlus", "DynaQ", "QLearning", "Random"] = "DynaQPlus"
    """Who learns; Random learns nothing, and lives in any environment."""
    policy: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Who acts instead, without learning: a distilled student in .safetensors or .onnx."""
    planning_steps: int = 50
    """Simulated steps after each real step, n (not QLearning)."""
    learning_rate: float = 1.0
    """Step size, alpha; 1 is right where nothing is random, 0.1 is safe elsewhere."""
    gamma: float = 0.95
    """Discount, of the agent and of the regret."""
    epsilon: float = 0.1
    """How often an action is taken at random."""
    kappa: float = 1e-3
    """Weight of the bonus for what was not tried for long (DynaQPlus only)."""
    model: Literal["latest_outcome", "maximum_likelihood", "stored_experience"] = "latest_outcome"
    """Model of the world (not QLearning)."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """End after so many steps. By default when the window is closed."""
    fps: float = 30
    """Steps shown in a second; 0 is as fast as it can."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Settles every random number. By default each run is different."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another maze: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    slip_probability: Annotated[float | None, tyro.conf.arg(metavar="P")] = None
    """How often a step goes to one side of where it should."""
    overlay: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]")] = ()
    """What is laid over the maze from the beginning: values, q, policy, visits, belief, planned."""
    save: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Record everything as a film: a name in .gif, .png or .mp4. Together with --steps it needs no
    display."""


def main(config: Watch) -> None:
    """Open the window, let the agent learn in it, and say in one line how it went.

    Raises:
        ValueError: for a number outside its range, a maze that cannot be, an overlay that is not
            to be had, or a policy that is none or does not fit the environment.
        TypeError: for an environment whose spaces are not discrete.
        gymnasium.error.Error: for an id that does not exist.
        RuntimeError: without a display, unless a film of some steps is made.
    """
    _check(config)
    seen = can_be_seen(config)
    student = None if config.policy is None else open_policy(config.policy)
    env = make_watched(config, student)
    try:
        show, agent = prepare(config, env, Controls(config.fps), seen=seen, student=student)
        if config.save is not None:
            show.screen.studio.record(config.save)
        print(opening(show.diary.title, env, seen=seen), flush=True)
        try:
            with show.screen:
                show.run(agent, config.steps)
        finally:
            if show.diary.num_steps:
                print(show.diary.summary(show.regret))
            for path in show.screen.studio.saved:
                print(f"saved {path}")
    finally:
        env.close()


def can_be_seen(config: Watch) -> bool:
    """Whether there is a display.

    Raises:
        RuntimeError: there is none, and no film of some steps is asked for.
    """
    try:
        require_display(INSTEAD)
    except RuntimeError:
        if config.save is None or config.steps is None:
            raise
        return False
    return True


def make_watched(config: Watch, student: Opened | None = None) -> gym.Env[Any, Any]:
    """The environment, with the observations that who acts in it needs.

    Args:
        config: the options.
        student: what the file of a policy holds.

    Raises:
        ValueError, gymnasium.error.Error: as `main` says.
    """
    options, its_id = {}, None
    if student is not None:
        options = dict(student.card.environment)
        its_id = options.pop("id", None)
    env_id = config.env_id or its_id or DEFAULT
    if env_id != its_id:  # of another environment's options only the observation is of use
        names = {"observation"} & set(options) if env_id in ENVIRONMENTS else set()
        options = {name: options[name] for name in names}
    if student is not None and env_id in ENVIRONMENTS and _sees_planes(student.policy):
        options.setdefault("observation", "planes")
    for name in ("layout", "slip_probability"):
        if getattr(config, name) is not None:
            options[name] = getattr(config, name)
    return make_env(env_id, table=student is None and config.agent != "Random", **options)


def _sees_planes(policy: Any) -> bool:
    """Whether it takes whole mazes; networks that take any size tell no shape."""
    shape = getattr(policy, "observation_shape", PLANES)
    return len(shape) == len(PLANES) and shape[0] == PLANES[0]


def prepare(
    config: Watch,
    env: gym.Env[Any, Any],
    controls: Controls,
    *,
    seen: bool = True,
    student: Opened | None = None,
) -> tuple[Show, Learner]:
    """Put together who learns, and what shows it.

    Args:
        config: the options.
        env: where the agent learns.
        controls: when the next step may be taken.
        seen: whether there is a window.
        student: acts instead of the agent.

    Raises:
        TypeError, ValueError: as `main` says.
    """
    camera = Camera(env, room_on_desktop() if seen else ROOM)
    witness = Witness(env, camera, config.gamma)
    name: str = config.agent
    agent: Learner
    if student is None:
        agent = make_agent(config, witness)
    else:
        name = Path(config.policy or student.kind).name
        agent = Acting(witness, student.policy, name, config.seed)
    maze = camera.maze
    diary = Diary(f"{name} in {_id(env)}")
    screen = Screen(
        env,
        camera=camera,
        window=open_window(diary.title) if seen else None,
        source=Nothing("only mazes have overlays")
        if maze is None
        else Insight(agent, maze, witness),
        help_lines=HELP,
        clock=controls.clock,
    )
    screen.show_overlays(config.overlay)
    return Show(screen, controls, diary, witness), agent


def make_agent(config: Watch, env: gym.Env[Any, Any]) -> Learner:
    """The agent, put together as the options say.

    Raises:
        TypeError: for an environment whose spaces are not discrete.
        ValueError: for a number outside its range.
    """
    if config.agent == "Random":
        return Random(env, config.seed)
    if isinstance(env.unwrapped, MazeEnv) and not isinstance(env.unwrapped, GridEnv):
        raise TypeError(
            f"{_id(env)} has no cells, of which {config.agent} needs a table; expected "
            "--agent Random"
        )
    direct: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "epsilon": config.epsilon,
        "seed": config.seed,
    }
    planning: dict[str, Any] = {"planning_steps": config.planning_steps, "model": config.model}
    if config.agent == "QLearning":
        return QLearning(env, **direct)
    if config.agent == "DynaQ":
        return DynaQ(env, **direct, **planning)
    return DynaQPlus(env, **direct, **planning, kappa=config.kappa)


def opening(title: str, env: gym.Env[Any, Any], *, seen: bool = True) -> str:
    """What is said before the window opens."""
    maze = env.unwrapped
    changes = ""
    if isinstance(maze, MazeEnv) and not maze.schedule.by_episode:
        steps = ", ".join(f"{step:,}" for step in maze.schedule.steps[1:9])
        changes = f", which changes at step {steps}" if steps else ""
    return f"{title}{changes}.\n{KEYS if seen else ''}".rstrip()


def _id(env: gym.Env[Any, Any]) -> str:
    return "" if env.spec is None else env.spec.id


def _check(config: Watch) -> None:
    if not 0 <= config.fps < math.inf:
        raise ValueError(f"fps={config.fps:g}; expected a number of at least 0")
    for name, number in (("steps", config.steps), ("seed", config.seed)):
        if number is not None and number < 0:
            raise ValueError(f"{name}={number}; expected a whole number of at least 0")
    if config.save is not None and not Path(config.save).name:
        raise ValueError(f"save={config.save!r}; expected the name of a file")
