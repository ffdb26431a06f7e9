"""`dynamaze play`: a person walks a maze turn by turn, in a window or in the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium as gym
import tyro

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering import require_display

from ..common.registration import ENVIRONMENTS
from ..viewer.making import make_env
from ..viewer.terminal import play_in_terminal
from ..viewer.walk import Walk, play_in_window
from ..viewer.walk_state import Game


@dataclass(frozen=True)
class Play:
    """Walk a maze yourself, turn by turn.

    Keys in the window: the arrow keys or W, A, S, D walk, R begins a new episode, Esc or Q ends. T
    shows the shortest way, 1 to 4 lay over the maze what is optimal in it and where you have been,
    0 takes all away. V begins and ends a film, P saves a picture, H shows all keys.

    Mouse: a click builds or opens a wall, dragging paints; a right click moves the goal.

    The strip tells the world's clock, the episode's steps and return, how short the shortest way
    is, and the regret: what your steps have lost against the best ones, in discounted return. At
    the goal a new episode begins.
    """

    env_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = "DynaMaze-v0"
    """The maze."""
    text: bool = False
    """Play in the terminal, without a window: type w, a, s, d or arrow keys, then Enter."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another maze: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    slip_probability: Annotated[float | None, tyro.conf.arg(metavar="P")] = None
    """How often a step goes to one side of where it should."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Settles every random number. By default each run is different."""


def main(config: Play) -> None:
    """Open the maze, let the person walk, and say in one line how it went.

    Raises:
        ValueError: for a maze that cannot be, or an environment that is not a maze.
        gymnasium.error.Error: for an id that does not exist.
        RuntimeError: without a display, unless it is played in the terminal.
    """
    if not config.text:
        require_display("play in the terminal: dynamaze play --text")
    env = make_maze(config)
    try:
        if config.text:
            play_in_terminal(Game(env, seed=config.seed), sys.stdin, config.env_id)
        else:
            play_in_window(Walk(env, config.env_id, seed=config.seed))
    finally:
        env.close()


def make_maze(config: Play) -> gym.Env[Any, Any]:
    """The environment that the options ask for.

    Raises:
        ValueError: if it is not a maze.
    """
    colors = "ansi_color" if sys.stdout.isatty() else "ansi"
    env = make_env(
        config.env_id,
        render_mode=colors if config.text else "rgb_array",
        layout=config.layout,
        slip_probability=config.slip_probability,
    )
    if not isinstance(env.unwrapped, MazeEnv):
        raise ValueError(
            f"{config.env_id} is not a maze of DynaMaze; expected one such as "
            f"{', '.join(ENVIRONMENTS)}"
        )
    return env
