"""`dynamaze play`: a person walks a maze turn by turn, in a window or in the terminal."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium as gym
import tyro

from dynamaze.envs import ACTIONS, DynaMazeEnv
from dynamaze.envs.rendering import Window, pressed_key, require_display
from dynamaze.registration import ENVIRONMENTS

NAP = 1 / 60
"""Seconds between two looks at the window's keys."""

GOAL_NAPS = 45
"""For so many naps the arrival at a goal is seen before the next episode begins."""

QUIT_KEYS = ("escape", "q")
ARROWS = {"\x1b[a": "up", "\x1b[b": "down", "\x1b[c": "right", "\x1b[d": "left"}
"""What a terminal sends for the arrow keys, in small letters."""

WINDOW_KEYS = "arrow keys or W A S D: walk;  R: new episode;  Esc or Q: end"
TEXT_KEYS = (
    "w a s d (up left down right): walk, several in a line if you like;  "
    "r: new episode;  q: end;  then Enter"
)


@dataclass(frozen=True)
class Play:
    """Walk a maze yourself, turn by turn.

    Keys in the window: the arrow keys or W, A, S, D walk, R begins a new episode, Esc or Q ends.
    The title tells the world's clock, the episode's steps and return, and how short the shortest
    way is. At the goal a new episode begins.
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
    game = Game(make_maze(config), seed=config.seed)
    try:
        if config.text:
            play_in_terminal(game, sys.stdin)
        else:
            play_in_window(game)
    finally:
        game.env.close()
        print(f"{config.env_id}: {game.summary()}")


def make_maze(config: Play) -> gym.Env[Any, Any]:
    """The environment that the options ask for.

    Raises:
        ValueError: if it is not a maze.
    """
    options: dict[str, Any] = {
        "layout": config.layout,
        "slip_probability": config.slip_probability,
    }
    given = {name: value for name, value in options.items() if value is not None}
    mode = "ansi" if config.text else "human"
    env: gym.Env[Any, Any] = gym.make(config.env_id, render_mode=mode, **given)
    if not isinstance(env.unwrapped, DynaMazeEnv):
        raise ValueError(
            f"{config.env_id} is not a maze of DynaMaze; expected one such as "
            f"{', '.join(ENVIRONMENTS)}"
        )
    return env


class Game:
    """A person's walk: the maze, what the keys do in it, and how far it has come.

    Attributes:
        env: the environment.
        maze: the same without its wrappers.
        over: whether the episode has ended; `restart` begins the next one.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int | None = None) -> None:
        assert isinstance(env.unwrapped, DynaMazeEnv)
        self.env, self.maze = env, env.unwrapped
        letters = {key: action for (key,), action in self.maze.get_keys_to_action().items()}
        self._actions = {**letters, **{name: action for action, name in enumerate(ACTIONS)}}
        self._lengths: list[int] = []  # of the walks that reached a goal
        self._num_steps = 0
        self._begin(seed)

    def press(self, key: str) -> bool:
        """Do what a key says; False if it has no meaning."""
        if key == "r":
            self.restart()
        elif key in self._actions:
            self._move(self._actions[key])
        else:
            return False
        return True

    def restart(self) -> None:
        """Begin a new episode. The world's clock goes on."""
        self._begin(None)

    def status(self) -> str:
        """Where things stand."""
        walk = f"return {self._return:g}, shortest way {self.maze.shortest_path_length}"
        if self.over:
            end = "goal" if self._at_goal else "time is up"
            return f"{end} after {count(self._episode_steps, 'step')}, {walk}"
        return f"world step {self.maze.world_step:,}, episode step {self._episode_steps:,}, {walk}"

    def summary(self) -> str:
        """The whole walk in one line."""
        walk = f"{count(self._num_steps, 'step')}, {count(len(self._lengths), 'time')} at the goal"
        return f"{walk}, at best after {min(self._lengths):,}" if self._lengths else walk

    def _begin(self, seed: int | None) -> None:
        self.over = self._at_goal = False
        self._episode_steps, self._return = 0, 0.0
        self.env.reset(seed=seed)

    def _move(self, action: int) -> None:
        _, reward, terminated, truncated, _ = self.env.step(action)
        self._num_steps += 1
        self._episode_steps += 1
        self._return += float(reward)
        self.over, self._at_goal = terminated or truncated, terminated
        if terminated:
            self._lengths.append(self._episode_steps)


def count(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


# -- in a window -------------------------------------------------------------------------------


def play_in_window(game: Game, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Play until the person ends it or closes the window.

    Args:
        game: the walk; its environment has a window.
        sleep: how to spend the time between two looks at the keys.
    """
    print(WINDOW_KEYS, flush=True)
    window = game.maze.window
    assert window is not None
    window.fps = 0  # a person sets the pace
    while not window.closed_by_user:
        for key in _pressed_keys(window):
            if key in QUIT_KEYS:
                return
            game.press(key)
            if game.over:
                _celebrate(game, window, sleep)
                break
        window.title = game.status()
        sleep(NAP)


def _pressed_keys(window: Window) -> list[str]:
    return [pressed_key(event) or "" for event in window.events()]


def _celebrate(game: Game, window: Window, sleep: Callable[[float], None]) -> None:
    """Let the arrival be seen, then begin a new episode; what is typed meanwhile is dropped."""
    window.title = game.status()
    for _ in range(GOAL_NAPS):
        sleep(NAP)
        window.events()
    game.restart()


# -- in the terminal ---------------------------------------------------------------------------


def play_in_terminal(game: Game, lines: Iterable[str]) -> None:
    """Play until the lines end, or one of them says so.

    Args:
        game: the walk; its environment renders as text.
        lines: what the person types.
    """
    print(TEXT_KEYS)
    _show(game)
    for line in lines:
        for key in read_keys(line):
            if key in QUIT_KEYS:
                return
            if not game.press(key):
                print(f"unknown key {key!r}; {TEXT_KEYS}")
            if game.over:
                _show(game)
                game.restart()
        _show(game)


def read_keys(line: str) -> list[str]:
    """The keys in a typed line: letters, arrow keys, or up, right, down, left as words."""
    keys = re.findall(r"up|right|down|left|\x1b\[[abcd]|\S", line.lower())
    return [ARROWS.get(key, key) for key in keys]


def _show(game: Game) -> None:
    print(f"{game.env.render()}\n{game.status()}\n", flush=True)
