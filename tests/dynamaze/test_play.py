"""`dynamaze play`: in the terminal from outside, in the window with a person who is a script."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.app.play import Play, make_maze
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import require_display
from dynamaze.viewer.terminal import play_in_terminal, read_keys
from dynamaze.viewer.walk import GOAL_NAPS, Walk, play_in_window
from dynamaze.viewer.walk_state import Game

LETTERS = {(-1, 0): "w", (0, 1): "d", (1, 0): "s", (0, -1): "a"}
ARROWS = {"w": "UP", "d": "RIGHT", "s": "DOWN", "a": "LEFT"}


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
    play_in_terminal(game, ["dd\n", "r\n", "d\n"], "maze")
    assert game.status() == "world step 3, episode step 1, return 0, shortest way 14"


def test_the_world_changes_under_a_walker() -> None:
    game = text_game(env_id="DynaMazeBlocking-v0")
    play_in_terminal(game, ["s" * 999], "maze")
    assert game.status().endswith("shortest way 10")
    play_in_terminal(game, ["s"], "maze")
    assert game.status() == "world step 1,000, episode step 1,000, return 0, shortest way 16"


def test_when_time_is_up_a_new_episode_begins(capsys: pytest.CaptureFixture[str]) -> None:
    env = gym.make("DynaMaze-v0", render_mode="ansi", max_episode_steps=3)
    game = Game(env)
    play_in_terminal(game, ["wwww\n"], "maze")
    assert "time is up after 3 steps, return 0" in capsys.readouterr().out
    assert game.status() == "world step 4, episode step 1, return 0, shortest way 14"
    assert game.summary() == "4 steps, 0 times at the goal"


def test_the_best_walk_is_remembered() -> None:
    game = text_game(layout="S.G")
    play_in_terminal(game, ["dd\n", "add\n", "d"], "maze")
    assert game.summary() == "6 steps, 2 times at the goal, at best after 2"


# -- in the window -----------------------------------------------------------------------------


class Walking:
    """A walk in a window, and a person who walks."""

    def __init__(self, person: Any, **options: Any) -> None:
        self.person = person
        self.config = Play(**options)
        self.walk = Walk(
            make_maze(self.config), self.config.env_id, seed=self.config.seed, clock=person.clock
        )
        self.game = self.walk.game
        person.window = self.walk.screen.window
        self.seen: list[str] = []

    @property
    def overlays(self) -> Any:
        return self.game.maze.overlays

    def look(self) -> None:
        self.seen.append(self.game.status())

    def play(self, *script: Any) -> None:
        """Do the script, which must be as long as the game."""
        self.person.script = list(script)
        play_in_window(self.walk, sleep=self.person.sleep)
        assert self.person.script == []


@pytest.mark.parametrize("names", ["arrows", "letters"])
def test_keys_walk_to_the_goal_and_the_next_episode_begins(person: Any, names: str) -> None:
    walking = Walking(person)
    walk = shortest_walk("DynaMaze-v0")
    keys = [ARROWS[letter] if names == "arrows" else letter for letter in walk]
    arrival = [walking.look, person.keys("RIGHT"), *[walking.look] * (GOAL_NAPS - 2)]
    walking.play(*[person.keys(key) for key in keys], *arrival, walking.look, person.keys("q"))
    assert set(walking.seen[:-1]) == {"goal after 14 steps, return 1, shortest way 14"}
    # The key pressed while the arrival was seen is dropped.
    assert walking.seen[-1] == "world step 14, episode step 0, return 0, shortest way 14"
    assert walking.game.summary() == "14 steps, 1 time at the goal, at best after 14"


def test_several_keys_at_once_are_all_taken_up_to_the_goal(person: Any) -> None:
    walking = Walking(person, layout="S.G")
    arrival = [walking.look] * GOAL_NAPS
    walking.play(person.keys("RIGHT", "RIGHT", "RIGHT"), *arrival, person.keys("q"))
    assert walking.game.summary() == "2 steps, 1 time at the goal, at best after 2"


def test_r_begins_again_in_the_window(person: Any) -> None:
    walking = Walking(person)
    walking.play(person.keys("RIGHT", "r"), walking.look, person.keys("q"))
    assert walking.seen == ["world step 1, episode step 0, return 0, shortest way 14"]


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_a_key_ends_the_game(person: Any, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    Walking(person).play(person.keys("RIGHT", key, "RIGHT"))
    assert capsys.readouterr().out.endswith("DynaMaze-v0: 1 step, 0 times at the goal\n")


def test_the_close_button_ends_the_game(person: Any) -> None:
    walking = Walking(person)
    walking.play(person.close_button)
    assert walking.game.summary() == "0 steps, 0 times at the goal"


def test_the_close_button_is_heard_during_the_arrival(person: Any) -> None:
    walking = Walking(person, layout="SG")
    arrival = [person.close_button, *[walking.look] * (GOAL_NAPS - 1)]
    walking.play(person.keys("RIGHT"), *arrival, walking.look)
    assert walking.game.summary() == "1 step, 1 time at the goal, at best after 1"


def test_the_truth_is_laid_over_the_maze(person: Any) -> None:
    walking = Walking(person)
    seen: list[Any] = []
    keys = person.keys("1", "2", "3", "4")
    walking.play(keys, lambda: seen.append(walking.overlays), person.keys("0"),
        lambda: seen.append(walking.overlays), person.keys("q"))  # fmt: skip
    maze = walking.game.maze
    assert isinstance(maze, DynaMazeEnv)
    assert seen[0].names == ("values", "q", "policy", "visits")
    np.testing.assert_allclose(seen[0].values.ravel(), maze.optimal_values())
    np.testing.assert_allclose(seen[0].q.reshape(-1, 4), maze.optimal_action_values())
    np.testing.assert_allclose(seen[0].policy.reshape(-1, 4), maze.optimal_policy())
    assert seen[1].names == ()


def test_t_shows_the_shortest_way_from_where_the_walker_is(person: Any) -> None:
    walking = Walking(person)
    seen: list[Any] = []

    def note() -> None:
        seen.append(walking.overlays.policy)

    t = person.keys("t")
    walking.play(t, note, person.keys("DOWN"), note, t, note, person.keys("q"))
    assert [None if way is None else way.sum() for way in seen] == [14, 13, None]
    assert seen[0][2, 0].sum() == 1


def test_what_a_person_has_not_is_told(person: Any) -> None:
    walking = Walking(person)
    walking.walk.screen.toggle("belief")
    assert walking.walk.screen._message == "belief: only agents have this"
    walking.walk.screen.close()


def test_walls_are_built_while_walking(person: Any) -> None:
    walking = Walking(person)
    walking.play(person.click(32, 32), walking.look, person.keys("q"))
    assert walking.game.maze.layout.walls[0, 0]


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_maze_can_be_walked(person: Any, env_id: str) -> None:
    walking = Walking(person, env_id=env_id, seed=4)
    walking.play(person.keys("RIGHT", "DOWN", "LEFT", "UP", "t"), person.keys("q"))
    assert walking.game.num_steps == 4
    assert person.pygame.key.get_repeat() == (0, 0)


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
