"""Changing a maze with the mouse."""

from __future__ import annotations

import gymnasium as gym
import pytest

from dynamaze.envs.base import MazeEnv
from dynamaze.viewer.editor import LEFT, MIDDLE, RIGHT, Editor, line


def maze_of(*rows: str, env_id: str = "DynaMaze-v0") -> MazeEnv:
    env = gym.make(env_id, layout=list(rows))
    env.reset(seed=1)
    assert isinstance(env.unwrapped, MazeEnv)
    return env.unwrapped


@pytest.fixture
def maze() -> MazeEnv:
    return maze_of("S..", ".#.", "..G")


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeDrifting-v0", "DynaMazeContinuous-v0"])
def test_walls_are_built_and_opened_in_every_maze(env_id: str) -> None:
    maze = maze_of("S..", ".#.", "..G", env_id=env_id)
    editor = Editor(maze)
    assert editor.press((0, 1), LEFT) == "wall built at row 0, column 1"
    assert editor.press((1, 1), LEFT) == "wall opened at row 1, column 1"
    assert maze.layout.to_rows() == ["S#.", "...", "..G"]


@pytest.mark.parametrize(
    ("cell", "why"), [((0, 0), "the start is there"), ((2, 2), "the goal is there")]
)
def test_what_stands_somewhere_keeps_its_place(
    maze: MazeEnv, cell: tuple[int, int], why: str
) -> None:
    assert Editor(maze).press(cell, LEFT).endswith(why)
    assert maze.phase == 0


def test_no_wall_falls_on_the_agent(maze: MazeEnv) -> None:
    maze.step(1)
    assert Editor(maze).press((0, 1), LEFT) == "no wall at row 0, column 1: the agent is there"


def test_the_only_way_stays_open() -> None:
    maze = maze_of("S.G", "#.#")
    told = Editor(maze).press((0, 1), LEFT)
    assert told == "no wall at row 0, column 1: it would shut the only way"
    assert maze.phase == 0


def test_the_agent_is_not_shut_in() -> None:
    maze = maze_of(".S.G", ".###")
    maze.step(3)
    maze.step(2)
    assert maze.agent == (1, 0)
    told = Editor(maze).press((0, 0), LEFT)
    assert told == "no wall at row 0, column 0: it would shut the agent in"


def test_a_drag_paints_what_the_first_click_did() -> None:
    maze = maze_of("S....", "..#..", "....G")
    editor = Editor(maze)
    assert editor.drag((2, 2)) == ""  # nothing is held down
    editor.press((1, 1), LEFT)
    assert editor.drag((1, 1)) == ""
    assert editor.drag((1, 3)) == "wall built at row 1, column 3"
    assert maze.layout.to_rows()[1] == ".###."
    editor.release()
    assert editor.drag((1, 0)) == ""
    editor.press((1, 1), LEFT)
    editor.drag((1, 3))
    assert maze.layout.to_rows()[1] == "....."


def test_a_drag_builds_what_it_may() -> None:
    maze = maze_of("S....", ".....", "....G")
    editor = Editor(maze)
    editor.press((1, 0), LEFT)
    told = editor.drag((1, 4))
    assert told == "no wall at row 1, column 4: it would shut the only way"
    assert maze.layout.to_rows()[1] == "####."


def test_goal_and_start_are_moved(maze: MazeEnv) -> None:
    editor = Editor(maze)
    assert editor.press((2, 0), RIGHT) == "goal moved to row 2, column 0"
    assert editor.press((2, 2), MIDDLE) == "start moved to row 2, column 2"
    assert editor.press((0, 2), LEFT, shift=True) == "start moved to row 0, column 2"
    assert maze.layout.to_rows() == ["..S", ".#.", "G.."]
    assert editor.press((1, 1), RIGHT) == "no goal at row 1, column 1: a wall is there"
    assert editor.press((0, 2), RIGHT).startswith("no goal at row 0, column 2: start and goal")
    assert editor.press((0, 0), 5) == ""


def test_the_rewards_and_slips_of_a_maze_stay() -> None:
    env = gym.make("DynaMaze-v0", goal_reward=7, slip_probability=0.25)
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    Editor(maze).press((0, 0), LEFT)
    assert (maze.layout.rewards.goal, maze.layout.slip_probability) == (7, 0.25)


@pytest.mark.parametrize(
    ("begin", "end", "cells"),
    [
        ((0, 0), (0, 3), [(0, 1), (0, 2), (0, 3)]),
        ((2, 2), (0, 0), [(1, 1), (0, 0)]),
        ((0, 0), (4, 2), [(1, 0), (2, 1), (3, 2), (4, 2)]),
    ],
)
def test_a_line_leaves_no_cell_out(
    begin: tuple[int, int], end: tuple[int, int], cells: list[tuple[int, int]]
) -> None:
    assert line(begin, end) == cells
