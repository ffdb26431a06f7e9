"""`dynamaze play`: walk a maze step by step, in a window or in the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import tyro

from dynamaze.benchmarks.harness.agent_runs.resolver import POLICY_FILES, is_policy
from dynamaze.distill.export.load import open_policy
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.window import require_display

from ..common.options import Count, Fraction, Seed32, Size
from ..common.registration import ENVIRONMENTS
from ..viewer.advisor import Advisor
from ..viewer.environment import make_env
from ..viewer.walk import WalkSession, WalkState, play_in_terminal, play_in_window
from .watched_envs import given_options, naming_student, refusing_options, student_observation


@dataclass(frozen=True)
class Play:
    """Walk a maze yourself, step by step.

    Keys in the window: the arrow keys or W, A, S, D walk, R begins a new episode, Esc or Q ends. T
    shows the shortest path, 1 to 4 show overlays (optimal values, action values and policy, and
    your visits), 0 hides all. V starts and stops a video, P saves a picture, F11 fills the screen,
    H shows all keys. The window can be resized.

    Mouse: a click builds or opens a wall, dragging edits several; a right click moves the goal.

    The strip shows the world step, the episode's steps and return, the length of the shortest path,
    and the regret: the loss of your steps in discounted return compared with optimal ones. At the
    goal a new episode begins. With --agent a student stands beside you: the strip shows its next
    move, and N takes it.
    """

    env_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = "DynaMaze-v0"
    """Id of the maze."""
    text: bool = False
    """Play in the terminal, without a window: type w, a, s, d or arrow keys, then Enter."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another layout: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    size: Annotated[Size | None, tyro.conf.arg(metavar="N")] = None
    """Rows and columns of generated mazes."""
    levels: Annotated[Count | None, tyro.conf.arg(metavar="N")] = None
    """Number of generated mazes that take turns."""
    slip_probability: Annotated[Fraction | None, tyro.conf.arg(metavar="P")] = None
    """Probability that a step goes to one side of the chosen direction."""
    seed: Annotated[Seed32 | None, tyro.conf.arg(metavar="N")] = None
    """Seed of all random numbers. By default each run is different."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """A student beside you: builtin:NAME (`dynamaze distill card` lists them), or a file in
    .safetensors or .onnx. It names its next move, and N takes it; one that keeps a map learns the
    maze from your moves, too."""


def main(config: Play) -> None:
    """Let the user walk the maze, and print a summary.

    Raises:
        ValueError: invalid layout or option, or an environment that is not a maze.
        gymnasium.error.Error: unknown id.
        RuntimeError: no display, unless the maze is played in the terminal.
    """
    if not config.text:
        require_display("play in the terminal: dynamaze play --text")
    student = None if config.agent is None else read_student(config.agent)
    env = make_maze(config, student)
    try:
        advisor = None
        if student is not None:
            advisor = Advisor(env, student, Path(config.agent or "").name)
        if config.text:
            walk = WalkState(env, seed=config.seed, advisor=advisor)
            play_in_terminal(walk, sys.stdin, config.env_id)
        else:
            play_in_window(WalkSession(env, config.env_id, seed=config.seed, advisor=advisor))
    finally:
        env.close()


def read_student(text: str) -> Any:
    """Return the policy of a student.

    Raises:
        ValueError: for another agent, an unknown built-in student or a file that cannot be read.
    """
    if not is_policy(text):
        raise ValueError(
            f"agent {text!r}; expected a student: builtin:NAME, or a file in "
            f"{' or '.join(POLICY_FILES)}"
        )
    return open_policy(text).policy


def make_maze(config: Play, student: Any = None) -> gym.Env[Any, Any]:
    """Make the environment that the options specify.

    Args:
        config: the options.
        student: a policy whose observations it has.

    Raises:
        ValueError: it is not a maze, has no such option, or does not show what the student
            observes.
    """
    text_mode = "ansi_color" if sys.stdout.isatty() else "ansi"
    options: dict[str, Any] = {} if student is None else student_observation(student, {})
    options |= given_options(config)
    with (
        refusing_options(config.env_id, options),
        naming_student(config.agent, config.env_id, options),
    ):
        env = make_env(
            config.env_id, render_mode=text_mode if config.text else "rgb_array", **options
        )
    if not isinstance(env.unwrapped, MazeEnv):
        raise ValueError(
            f"{config.env_id} is not a maze of DynaMaze; expected one such as "
            f"{', '.join(ENVIRONMENTS)}"
        )
    return env
