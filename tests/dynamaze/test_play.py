"""`dynamaze play`: a person, who is a script, walks a maze."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.envs.layout import DISPLACEMENTS
from dynamaze.play import Game, Play, make_maze, play_in_terminal, play_in_window, read_keys


def text_game(**options: Any) -> Game:
    return Game(make_maze(Play(text=True, **options)), seed=0)


def best_walk(game: Game) -> str:
    """The letters of a shortest way to the goal."""
    path = np.array(game.maze.shortest_path)
    moves = [DISPLACEMENTS.index(tuple(move)) for move in np.diff(path, axis=0).tolist()]
    return "".join("wdsa"[move] for move in moves)


def test_the_optimal_walk_reaches_the_goal(capsys: pytest.CaptureFixture[str]) -> None:
    game = text_game()
    play_in_terminal(game, [best_walk(game), "q", "www"])
    assert game.summary() == "14 steps, 1 time at the goal, at best after 14"
    shown = capsys.readouterr().out
    assert "goal after 14 steps, return 1" in shown
    assert shown.count("A") == 3  # at the start, at the goal, at the start again


def test_a_new_episode_may_be_begun_and_the_clock_goes_on() -> None:
    game = text_game()
    play_in_terminal(game, ["ddr", "s"])
    assert "world step 3, episode step 1" in game.status()


def test_an_unknown_key_is_told_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    game = text_game()
    play_in_terminal(game, ["x"])
    assert "unknown key 'x'" in capsys.readouterr().out
    assert game.maze.world_step == 0


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("wasd\n", ["w", "a", "s", "d"]),
        ("up  LEFT", ["up", "left"]),
        ("\x1b[A\x1b[D", ["up", "left"]),
        ("", []),
    ],
)
def test_a_typed_line_is_read_as_keys(line: str, keys: list[str]) -> None:
    assert read_keys(line) == keys


def test_it_can_be_played_from_outside(tmp_path: Path) -> None:
    (tmp_path / "maze.txt").write_text("S.G\n@ 2\nS#G\n...\n".replace("S.G\n", "S.G\n...\n", 1))
    done = subprocess.run(
        [sys.executable, "-m", "dynamaze", "play", "--text", "--layout", "maze.txt"],
        input="dd\nd\nq\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("3 steps, 1 time at the goal, at best after 2\n")


# -- in a window -------------------------------------------------------------------------------


@pytest.fixture
def pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give pygame on SDL's dummy display, and shut it down afterwards."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    module = importlib.import_module("pygame")
    module.quit()
    yield module
    module.quit()


class Person:
    """Presses the next key, or does the next thing, at each nap."""

    def __init__(self, pygame: Any, game: Game, *script: str | Callable[[], None]) -> None:
        self.pygame, self.game, self.script = pygame, game, list(script)

    def sleep(self, _: float) -> None:
        if not self.script:
            raise AssertionError("the game goes on after the last key")
        act = self.script.pop(0)
        if callable(act):
            act()
        elif act:
            self.post(self.pygame.KEYDOWN, key=getattr(self.pygame, f"K_{act}"))

    def post(self, kind: int, **values: Any) -> None:
        window = self.game.maze.window
        assert window is not None
        handle = window._handle
        self.pygame.event.post(self.pygame.event.Event(kind, window=handle, **values))


def test_keys_walk_the_maze_and_the_title_tells_how_it_stands(pygame: Any) -> None:
    game = Game(make_maze(Play(layout=None)), seed=0)
    titles: list[str] = []

    def look() -> None:
        assert game.maze.window is not None
        titles.append(game.maze.window.title)

    person = Person(pygame, game, "RIGHT", "", look, "s", "", look, "q")
    play_in_window(game, sleep=person.sleep)
    assert "world step 1, episode step 1" in titles[0]
    assert "shortest way 14" in titles[0]
    assert game.maze.agent == (3, 1)
    game.env.close()


def test_the_close_button_ends_the_game(pygame: Any) -> None:
    game = Game(make_maze(Play()), seed=0)
    person = Person(pygame, game)
    person.script = ["UP", lambda: person.post(pygame.WINDOWCLOSE), ""]
    play_in_window(game, sleep=person.sleep)
    assert game.maze.world_step == 1
    assert game.maze.window is not None
    assert game.maze.window.closed_by_user
    game.env.close()


def test_at_the_goal_a_new_episode_begins(pygame: Any, tmp_path: Path) -> None:
    maze = tmp_path / "maze.txt"
    maze.write_text("S.G")
    game = Game(make_maze(Play(layout=str(maze))), seed=0)
    person = Person(pygame, game, "d", "d", *[""] * 45, "", "q")
    play_in_window(game, sleep=person.sleep)
    assert game.maze.agent == (0, 0)
    assert game.summary() == "2 steps, 1 time at the goal, at best after 2"
    game.env.close()
