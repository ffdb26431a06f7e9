"""`dynamaze play`: in the terminal, and in the window with a scripted user."""

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

from dynamaze.app.play import Play, main, make_maze, read_student
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering.window import require_display
from dynamaze.viewer.advisor import Advisor
from dynamaze.viewer.walk import (
    GOAL_POLLS,
    WalkSession,
    WalkState,
    play_in_terminal,
    play_in_window,
    read_keys,
)

LETTERS = {(-1, 0): "w", (0, 1): "d", (1, 0): "s", (0, -1): "a"}
ARROWS = {"w": "UP", "d": "RIGHT", "s": "DOWN", "a": "LEFT"}


def shortest_walk(env_id: str) -> str:
    """Return the letters of a shortest path from the start to the goal."""
    maze = gym.make(env_id).unwrapped
    assert isinstance(maze, DynaMazeEnv)
    path = maze.shortest_path
    return "".join(
        LETTERS[after[0] - before[0], after[1] - before[1]] for before, after in pairwise(path)
    )


# -- in the terminal ---------------------------------------------------------------------------


def play_text(typed: str, *options: str) -> list[str]:
    """Play in a new process and return the lines that it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "dynamaze", "play", "--text", *options],
        env={name: value for name, value in os.environ.items() if name != "DISPLAY"},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    # On a busy machine compilation takes long enough to be told.
    errors = run.stderr.replace("dynamaze: compiling (once) ...\n", "")
    assert (run.returncode, errors) == (0, "")
    return run.stdout.splitlines()


@pytest.mark.parametrize("between", ["", "\n"])
def test_text_play_reaches_goal(between: str) -> None:
    walk = shortest_walk("DynaMaze-v0")
    shown = play_text(between.join(walk) + "\n")
    arrival = shown.index("goal after 14 steps, return 1, shortest path 14")
    assert shown[arrival - 6] == ".......#A"
    assert shown[-3] == "world step 14, episode step 0, return 0, shortest path 14"
    assert shown[-1] == "DynaMaze-v0: 14 steps, 1 time at the goal, at best after 14"


def test_text_play_quits_on_q() -> None:
    assert play_text("d\nq\nd\n")[-1] == "DynaMaze-v0: 1 step, 0 times at the goal"


def test_text_play_reports_unknown_key() -> None:
    shown = play_text("dxd\n")
    assert any(line.startswith("unknown key 'x'; w a s d") for line in shown)
    assert shown[-1] == "DynaMaze-v0: 2 steps, 0 times at the goal"


def test_text_play_has_generated_sizes() -> None:
    shown = play_text("\n", "--size", "7", "--levels", "1", "DynaMazeGenerated-v0")
    rows = [line for line in shown if set(line) <= set("#.SGA ") and line.strip()]
    assert {len(line.replace(" ", "")) for line in rows} == {7}


def test_text_play_prints_maze() -> None:
    shown = play_text("s\n", "DynaMazeBlocking-v0")
    assert "...A....." in shown
    assert shown.count("########.") == 2


def test_play_uses_layout_and_seed(tmp_path: Path) -> None:
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
def test_read_keys_of_line(line: str, keys: list[str]) -> None:
    assert read_keys(line) == keys


def text_walk(**options: Any) -> WalkState:
    return WalkState(make_maze(Play(text=True, **options)))


@pytest.mark.parametrize("name", ["value_iteration", "map_value_iteration"])
def test_student_plays_beside_person(name: str) -> None:
    # A student that keeps a map explores first.
    steps = 40 if name == "value_iteration" else 150
    shown = play_text("d" + "n" * steps + "\n", "--agent", f"builtin:{name}", "DynaMaze-v0")
    assert shown[0].startswith("n: the student's move;  w a s d")
    assert any(line.startswith("goal after ") for line in shown)
    assert any(", the student goes " in line for line in shown)
    assert shown[-1].endswith(f"; {steps} steps by builtin:{name}")


def test_student_advises_in_edited_maze() -> None:
    config = Play(text=True, layout="S.G\n...", agent="builtin:value_iteration")
    student = read_student("builtin:value_iteration")
    env = make_maze(config, student)
    walk = WalkState(env, advisor=Advisor(env, student, "student"))
    assert walk.advice == "right"
    walk.maze.change("S#G\n...")
    assert walk.advice == "down"
    assert walk.handle_key("n")
    assert [walk.advice, walk.maze.agent] == ["right", (1, 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agent": "DynaQ"}, "agent 'DynaQ'; expected a student: builtin:NAME, or a file in"),
        ({"agent": "builtin:value"}, "did you mean 'builtin:value_iteration'?"),
        (
            {"agent": "builtin:value_iteration", "env_id": "DynaMazeAdaptation-v0"},
            "builtin:value_iteration does not fit DynaMazeAdaptation-v0: observation='planes'",
        ),
        (
            {"agent": "builtin:map_value_iteration", "env_id": "DynaMazeContinuous-v0"},
            "builtin:map_value_iteration does not fit DynaMazeContinuous-v0: observation='index'",
        ),
    ],
)
def test_play_refuses_unfit_student(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        main(Play(text=True, **options))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_restart_keeps_world_step() -> None:
    walk = text_walk()
    play_in_terminal(walk, ["dd\n", "r\n", "d\n"], "maze")
    assert walk.status() == "world step 3, episode step 1, return 0, shortest path 14"


def test_maze_changes_during_walk() -> None:
    walk = text_walk(env_id="DynaMazeBlocking-v0")
    play_in_terminal(walk, ["s" * 999], "maze")
    assert walk.status().endswith("shortest path 10")
    play_in_terminal(walk, ["s"], "maze")
    assert walk.status() == "world step 1,000, episode step 1,000, return 0, shortest path 16"


def test_time_limit_begins_new_episode(capsys: pytest.CaptureFixture[str]) -> None:
    env = gym.make("DynaMaze-v0", render_mode="ansi", max_episode_steps=3)
    walk = WalkState(env)
    play_in_terminal(walk, ["wwww\n"], "maze")
    assert "time limit after 3 steps, return 0" in capsys.readouterr().out
    assert walk.status() == "world step 4, episode step 1, return 0, shortest path 14"
    assert walk.summary() == "4 steps, 0 times at the goal"


def test_summary_has_best_walk() -> None:
    walk = text_walk(layout="S.G")
    play_in_terminal(walk, ["dd\n", "add\n", "d"], "maze")
    assert walk.summary() == "6 steps, 2 times at the goal, at best after 2"


# -- in the window -----------------------------------------------------------------------------


class Walking:
    """Walk in a window with a scripted user."""

    def __init__(self, user: Any, **options: Any) -> None:
        self.user = user
        self.config = Play(**options)
        self.session = WalkSession(
            make_maze(self.config), self.config.env_id, seed=self.config.seed, clock=user.clock
        )
        self.state = self.session.state
        user.window = self.session.window.display
        self.seen: list[str] = []

    @property
    def overlays(self) -> Any:
        return self.state.maze.overlays

    def look(self) -> None:
        self.seen.append(self.state.status())

    def play(self, *script: Any) -> None:
        """Do the script, which must be as long as the walk."""
        self.user.script = list(script)
        play_in_window(self.session, sleep=self.user.sleep)
        assert self.user.script == []


@pytest.mark.parametrize("names", ["arrows", "letters"])
def test_window_keys_reach_goal(user: Any, names: str) -> None:
    walking = Walking(user)
    walk = shortest_walk("DynaMaze-v0")
    keys = [ARROWS[letter] if names == "arrows" else letter for letter in walk]
    arrival = [walking.look, user.keys("RIGHT"), *[walking.look] * (GOAL_POLLS - 2)]
    walking.play(*[user.keys(key) for key in keys], *arrival, walking.look, user.keys("q"))
    assert set(walking.seen[:-1]) == {"goal after 14 steps, return 1, shortest path 14"}
    # Keys pressed while the end of the episode is shown are dropped.
    assert walking.seen[-1] == "world step 14, episode step 0, return 0, shortest path 14"
    assert walking.state.summary() == "14 steps, 1 time at the goal, at best after 14"


def test_window_takes_several_keys(user: Any) -> None:
    walking = Walking(user, layout="S.G")
    arrival = [walking.look] * GOAL_POLLS
    walking.play(user.keys("RIGHT", "RIGHT", "RIGHT"), *arrival, user.keys("q"))
    assert walking.state.summary() == "2 steps, 1 time at the goal, at best after 2"


def test_window_student_takes_step(user: Any) -> None:
    student = read_student("builtin:value_iteration")
    config = Play(agent="builtin:value_iteration")
    env = make_maze(config, student)
    advisor = Advisor(env, student, "student")
    session = WalkSession(env, "maze", advisor=advisor, clock=user.clock)
    user.window = session.window.display
    user.script = [user.keys(*"n" * 5), user.keys("q")]
    assert ("student goes", "down") in session._fields() or session.state.advice == "right"
    play_in_window(session, sleep=user.sleep)
    assert session.state.summary() == "5 steps, 0 times at the goal; 5 steps by student"
    assert session.state.maze.layout.distances[session.state.maze.agent] == 14 - 5


def test_window_restart_key(user: Any) -> None:
    walking = Walking(user)
    walking.play(user.keys("RIGHT", "r"), walking.look, user.keys("q"))
    assert walking.seen == ["world step 1, episode step 0, return 0, shortest path 14"]


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_quit_key_ends_walk(user: Any, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    Walking(user).play(user.keys("RIGHT", key, "RIGHT"))
    assert capsys.readouterr().out.endswith("DynaMaze-v0: 1 step, 0 times at the goal\n")


def test_close_button_ends_walk(user: Any) -> None:
    walking = Walking(user)
    walking.play(user.close_button)
    assert walking.state.summary() == "0 steps, 0 times at the goal"


def test_close_button_during_episode_end(user: Any) -> None:
    walking = Walking(user, layout="SG")
    arrival = [user.close_button, *[walking.look] * (GOAL_POLLS - 1)]
    walking.play(user.keys("RIGHT"), *arrival, walking.look)
    assert walking.state.summary() == "1 step, 1 time at the goal, at best after 1"


def test_env_overlays_are_optimal(user: Any) -> None:
    walking = Walking(user)
    seen: list[Any] = []
    keys = user.keys("1", "2", "3", "4")
    walking.play(keys, lambda: seen.append(walking.overlays), user.keys("0"),
        lambda: seen.append(walking.overlays), user.keys("q"))  # fmt: skip
    maze = walking.state.maze
    assert isinstance(maze, DynaMazeEnv)
    assert seen[0].names == ("values", "q", "policy", "visits")
    np.testing.assert_allclose(seen[0].values.ravel(), maze.optimal_values())
    np.testing.assert_allclose(seen[0].q.reshape(-1, 4), maze.optimal_action_values())
    np.testing.assert_allclose(seen[0].policy.reshape(-1, 4), maze.optimal_policy())
    assert seen[1].names == ()


def test_t_key_shows_shortest_path(user: Any) -> None:
    walking = Walking(user)
    seen: list[Any] = []

    def record() -> None:
        seen.append(walking.overlays.policy)

    t = user.keys("t")
    walking.play(t, record, user.keys("DOWN"), record, t, record, user.keys("q"))
    assert [None if path is None else path.sum() for path in seen] == [14, 13, None]
    assert seen[0][2, 0].sum() == 1


def test_unavailable_overlay_message(user: Any) -> None:
    walking = Walking(user)
    walking.session.window.toggle("belief")
    assert walking.session.window._message == "predicted walls: available for agents only"
    walking.session.window.close()


def test_click_builds_wall_during_walk(user: Any) -> None:
    walking = Walking(user)
    walking.play(user.click(32, 32), walking.look, user.keys("q"))
    assert walking.state.maze.layout.walls[0, 0]


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_walk_every_environment(user: Any, env_id: str) -> None:
    walking = Walking(user, env_id=env_id, seed=4)
    walking.play(user.keys("RIGHT", "DOWN", "LEFT", "UP", "t"), user.keys("q"))
    assert walking.state.num_steps == 4
    assert user.pygame.key.get_repeat() == (0, 0)


# -- invalid input ----------------------------------------------------------------------------


def test_play_rejects_other_environments() -> None:
    with pytest.raises(ValueError, match=r"FrozenLake-v1 is not a maze .* such as DynaMaze-v0"):
        make_maze(Play("FrozenLake-v1", text=True))


def test_require_display_suggests_alternative(pygame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    require_display("play in the terminal")  # requested by SDL_VIDEODRIVER
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(RuntimeError, match=r"there is no display .*; play in the terminal"):
        require_display("play in the terminal")
    monkeypatch.setenv("SDL_VIDEODRIVER", "nowhere")
    pygame.display.quit()
    with pytest.raises(RuntimeError, match="nowhere not available; play in the terminal"):
        require_display("play in the terminal")
