"""`dynamaze play`: in the terminal from outside, in the window with a person who is a script."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import Window, require_display
from dynamaze.play import (
    GOAL_NAPS,
    Game,
    Play,
    make_maze,
    play_in_terminal,
    play_in_window,
    read_keys,
)

LETTERS = {(-1, 0): "w", (0, 1): "d", (1, 0): "s", (0, -1): "a"}
ARROWS = {"w": "UP", "d": "RIGHT", "s": "DOWN", "a": "LEFT"}


@pytest.fixture(autouse=True)
def pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give pygame on SDL's dummy display, and shut it down afterwards."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    module = importlib.import_module("pygame")
    module.quit()
    yield module
    module.quit()


def shortest_walk(env_id: str) -> str:
    """The letters that lead from the start to the goal."""
    maze = gym.make(env_id).unwrapped
    assert isinstance(maze, DynaMazeEnv)
    path = maze.shortest_path
    return "".join(
        LETTERS[after[0] - before[0], after[1] - before[1]] for before, after in pairwise(path)
    )


# -- in the terminal ---------------------------------------------------------------------------


def play_text(typed: str, *options: str) -> list[str]:
    """Play in a fresh process and return the lines that it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "dynamaze", "play", "--text", *options],
        env={name: value for name, value in os.environ.items() if name != "DISPLAY"},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.splitlines()


@pytest.mark.parametrize("between", ["", "\n"])
def test_the_shortest_way_leads_to_the_goal(between: str) -> None:
    walk = shortest_walk("DynaMaze-v0")
    shown = play_text(between.join(walk) + "\n")
    arrival = shown.index("goal after 14 steps, return 1, shortest way 14")
    assert shown[arrival - 6] == ".......#A"
    assert shown[-3] == "world step 14, episode step 0, return 0, shortest way 14"
    assert shown[-1] == "DynaMaze-v0: 14 steps, 1 time at the goal, at best after 14"


def test_q_ends_at_once() -> None:
    assert play_text("d\nq\nd\n")[-1] == "DynaMaze-v0: 1 step, 0 times at the goal"


def test_an_unknown_key_is_named_and_the_rest_of_the_line_counts() -> None:
    shown = play_text("dxd\n")
    assert any(line.startswith("unknown key 'x'; w a s d") for line in shown)
    assert shown[-1] == "DynaMaze-v0: 2 steps, 0 times at the goal"


def test_the_maze_is_written_as_text() -> None:
    shown = play_text("s\n", "DynaMazeBlocking-v0")
    assert "...A....." in shown
    assert shown.count("########.") == 2


def test_a_maze_from_a_file_and_a_seed_are_heard(tmp_path: Path) -> None:
    (tmp_path / "maze.txt").write_text("S....\n....G\n")
    options = ("--layout", str(tmp_path / "maze.txt"), "--slip-probability", "0.9", "--seed")
    walks = [play_text("d" * 20 + "\n", *options, seed) for seed in ("1", "1", "2")]
    assert walks[0] == walks[1] != walks[2]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("wasd\n", ["w", "a", "s", "d"]),
        (" W  D\n", ["w", "d"]),
        ("\x1b[A\x1b[C\x1b[B\x1b[D\n", ["up", "right", "down", "left"]),
        ("Up right down LEFT\n", ["up", "right", "down", "left"]),
        ("r q?\n", ["r", "q", "?"]),
        ("\n", []),
    ],
)
def test_keys_are_read_from_a_line(line: str, keys: list[str]) -> None:
    assert read_keys(line) == keys


def text_game(**options: Any) -> Game:
    return Game(make_maze(Play(text=True, **options)))


def test_r_begins_a_new_episode_and_the_clock_goes_on() -> None:
    game = text_game()
    play_in_terminal(game, ["dd\n", "r\n", "d\n"])
    assert game.status() == "world step 3, episode step 1, return 0, shortest way 14"


def test_the_world_changes_under_a_walker() -> None:
    game = text_game(env_id="DynaMazeBlocking-v0")
    play_in_terminal(game, ["s" * 999])
    assert game.status().endswith("shortest way 10")
    play_in_terminal(game, ["s"])
    assert game.status() == "world step 1,000, episode step 1,000, return 0, shortest way 16"


def test_when_time_is_up_a_new_episode_begins(capsys: pytest.CaptureFixture[str]) -> None:
    env = gym.make("DynaMaze-v0", render_mode="ansi", max_episode_steps=3)
    game = Game(env)
    play_in_terminal(game, ["wwww\n"])
    assert "time is up after 3 steps, return 0" in capsys.readouterr().out
    assert game.status() == "world step 4, episode step 1, return 0, shortest way 14"
    assert game.summary() == "4 steps, 0 times at the goal"


def test_the_best_walk_is_remembered() -> None:
    game = text_game(layout="S.G")
    play_in_terminal(game, ["dd\n", "add\n", "d"])
    assert game.summary() == "6 steps, 2 times at the goal, at best after 2"


# -- in the window -----------------------------------------------------------------------------


class Person:
    """Sits at the window: at each of its naps does the next thing on a list.

    The list must be as long as the game.
    """

    def __init__(self, pygame: Any, **options: Any) -> None:
        self.pygame = pygame
        self.game = Game(make_maze(Play(**options)))
        self.titles: list[str] = []

    @property
    def window(self) -> Window:
        assert self.game.maze.window is not None
        return self.game.maze.window

    def post(self, kind: int, **details: Any) -> None:
        event = self.pygame.event.Event(kind, window=self.window._handle, **details)
        self.pygame.event.post(event)

    def keys(self, *names: str) -> Callable[[], None]:
        def press() -> None:
            for name in names:
                self.post(self.pygame.KEYDOWN, key=getattr(self.pygame, f"K_{name}"))

        return press

    def close_button(self) -> None:
        self.post(self.pygame.WINDOWCLOSE)

    def look(self) -> None:
        self.titles.append(self.window.title)

    def play(self, *script: Callable[[], None]) -> None:
        acts = list(script)
        play_in_window(self.game, sleep=lambda seconds: acts.pop(0)())
        self.game.env.close()
        assert acts == []


@pytest.mark.parametrize("names", ["arrows", "letters"])
def test_keys_walk_to_the_goal_and_the_next_episode_begins(pygame: Any, names: str) -> None:
    person = Person(pygame)
    walk = shortest_walk("DynaMaze-v0")
    keys = [ARROWS[letter] if names == "arrows" else letter for letter in walk]
    arrival = [person.look, person.keys("RIGHT"), *[person.look] * (GOAL_NAPS - 2)]
    person.play(*[person.keys(key) for key in keys], *arrival, person.look, person.keys("q"))
    assert set(person.titles[:-1]) == {"goal after 14 steps, return 1, shortest way 14"}
    # The key pressed while the arrival was seen is dropped.
    assert person.titles[-1] == "world step 14, episode step 0, return 0, shortest way 14"
    assert person.game.summary() == "14 steps, 1 time at the goal, at best after 14"


def test_several_keys_at_once_are_all_taken_up_to_the_goal(pygame: Any) -> None:
    person = Person(pygame, layout="S.G")
    arrival = [person.look] * GOAL_NAPS
    person.play(person.keys("RIGHT", "RIGHT", "RIGHT"), *arrival, person.keys("q"))
    assert person.game.summary() == "2 steps, 1 time at the goal, at best after 2"


def test_r_begins_again_in_the_window(pygame: Any) -> None:
    person = Person(pygame)
    person.play(person.keys("RIGHT", "r"), person.look, person.keys("q"))
    assert person.titles == ["world step 1, episode step 0, return 0, shortest way 14"]


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_a_key_ends_the_game(pygame: Any, key: str) -> None:
    person = Person(pygame)
    person.play(person.keys("RIGHT", key, "RIGHT"))
    assert person.game.summary() == "1 step, 0 times at the goal"


def test_the_close_button_ends_the_game(pygame: Any) -> None:
    person = Person(pygame)
    person.play(person.close_button, person.look)
    assert person.game.summary() == "0 steps, 0 times at the goal"


def test_the_close_button_is_heard_during_the_arrival(pygame: Any) -> None:
    person = Person(pygame, layout="SG")
    arrival = [person.close_button, *[person.look] * (GOAL_NAPS - 1)]
    person.play(person.keys("RIGHT"), *arrival, person.look)
    assert person.game.summary() == "1 step, 1 time at the goal, at best after 1"


# -- what is refused ---------------------------------------------------------------------------


def test_only_mazes_are_played() -> None:
    with pytest.raises(ValueError, match=r"FrozenLake-v1 is not a maze .* such as DynaMaze-v0"):
        make_maze(Play("FrozenLake-v1", text=True))


def test_without_a_display_the_way_out_is_told(
    pygame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_display("play by post")  # asked for by SDL_VIDEODRIVER
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(RuntimeError, match=r"there is no display .*; play by post"):
        require_display("play by post")
    monkeypatch.setenv("SDL_VIDEODRIVER", "nowhere")
    pygame.display.quit()
    with pytest.raises(RuntimeError, match="nowhere not available; play by post"):
        require_display("play by post")
