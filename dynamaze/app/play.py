"""`dynamaze play`: walk a maze step by step, in a window or in the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium as gym
import tyro

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.window import require_display

from ..common.options import Fraction, Seed32
from ..common.registration import ENVIRONMENTS
from ..viewer.environment import make_env
from ..viewer.walk import WalkSession, WalkState, play_in_terminal, play_in_window


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
    goal a new episode begins.
    """

    env_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = "DynaMaze-v0"
    """Id of the maze."""
    text: bool = False
    """Play in the terminal, without a window: type w, a, s, d or arrow keys, then Enter."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another layout: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    slip_probability: Annotated[Fraction | None, tyro.conf.arg(metavar="P")] = None
    """Probability that a step goes to one side of the chosen direction."""
    seed: Annotated[Seed32 | None, tyro.conf.arg(metavar="N")] = None
    """Seed of all random numbers. By default each run is different."""


def main(config: Play) -> None:
    """Let the user walk the maze, and print a summary.

    Raises:
        ValueError: invalid layout or option, or an environment that is not a maze.
        gymnasium.error.Error: unknown id.
        RuntimeError: no display, unless the maze is played in the terminal.
    """
    if not config.text:
        require_display("play in the terminal: dynamaze play --text")
    env = make_maze(config)
    try:
        if config.text:
            play_in_terminal(WalkState(env, seed=config.seed), sys.stdin, config.env_id)
        else:
            play_in_window(WalkSession(env, config.env_id, seed=config.seed))
    finally:
        env.close()


def make_maze(config: Play) -> gym.Env[Any, Any]:
    """Make the environment that the options specify.

    Raises:
        ValueError: it is not a maze.
    """
    text_mode = "ansi_color" if sys.stdout.isatty() else "ansi"
    env = make_env(
        config.env_id,
        render_mode=text_mode if config.text else "rgb_array",
        layout=config.layout,
        slip_probability=config.slip_probability,
    )
    if not isinstance(env.unwrapped, MazeEnv):
        raise ValueError(
            f"{config.env_id} is not a maze of DynaMaze; expected one such as "
            f"{', '.join(ENVIRONMENTS)}"
        )
    return env
