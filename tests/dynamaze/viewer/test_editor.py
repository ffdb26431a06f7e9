"""Editing of a maze by the mouse."""

from __future__ import annotations

import gymnasium as gym
import pytest

from dynamaze.envs.base import MazeEnv
from dynamaze.viewer.editor import LEFT, MIDDLE, RIGHT, MazeEditor, cells_between


def maze_of(*rows: str, env_id: str = "DynaMaze-v0") -> MazeEnv:
    env = gym.make(env_id, layout=list(rows))
    env.reset(seed=1)
    assert isinstance(env.unwrapped, MazeEnv)
    return env.unwrapped


@pytest.fixture
def maze() -> MazeEnv:
    return maze_of("S..", ".#.", "..G")


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeDrifting-v0", "DynaMazeContinuous-v0"])
def test_click_toggles_walls_in_every_maze(env_id: str) -> None:
    maze = maze_of("S..", ".#.", "..G", env_id=env_id)
    editor = MazeEditor(maze)
    assert editor.click((0, 1), LEFT) == "wall built at row 0, column 1"
    assert editor.click((1, 1), LEFT) == "wall opened at row 1, column 1"
    assert maze.layout.to_rows() == ["S#.", "...", "..G"]


@pytest.mark.parametrize(
    ("cell", "why"), [((0, 0), "the start is there"), ((2, 2), "the goal is there")]
)
def test_click_refuses_start_and_goal(maze: MazeEnv, cell: tuple[int, int], why: str) -> None:
    assert MazeEditor(maze).click(cell, LEFT).endswith(why)
    assert maze.phase == 0


def test_click_refuses_agent_cell(maze: MazeEnv) -> None:
    maze.step(1)
    assert MazeEditor(maze).click((0, 1), LEFT) == "no wall at row 0, column 1: the agent is there"


def test_click_refuses_blocking_only_path() -> None:
    maze = maze_of("S.G", "#.#")
    message = MazeEditor(maze).click((0, 1), LEFT)
    assert message == "no wall at row 0, column 1: it would block the only path"
    assert maze.phase == 0


def test_click_refuses_enclosing_agent() -> None:
    maze = maze_of(".S.G", ".###")
    maze.step(3)
    maze.step(2)
    assert maze.agent == (1, 0)
    message = MazeEditor(maze).click((0, 0), LEFT)
    assert message == "no wall at row 0, column 0: it would enclose the agent"


def test_drag_repeats_first_click() -> None:
    maze = maze_of("S....", "..#..", "....G")
    editor = MazeEditor(maze)
    assert editor.drag((2, 2)) == ""  # nothing is held down
    editor.click((1, 1), LEFT)
    assert editor.drag((1, 1)) == ""
    assert editor.drag((1, 3)) == "wall built at row 1, column 3"
    assert maze.layout.to_rows()[1] == ".###."
    editor.release()
    assert editor.drag((1, 0)) == ""
    editor.click((1, 1), LEFT)
    editor.drag((1, 3))
    assert maze.layout.to_rows()[1] == "....."


def test_drag_skips_refused_cells() -> None:
    maze = maze_of("S....", ".....", "....G")
    editor = MazeEditor(maze)
    editor.click((1, 0), LEFT)
    message = editor.drag((1, 4))
    assert message == "no wall at row 1, column 4: it would block the only path"
    assert maze.layout.to_rows()[1] == "####."


def test_click_moves_goal_and_start(maze: MazeEnv) -> None:
    editor = MazeEditor(maze)
    assert editor.click((2, 0), RIGHT) == "goal moved to row 2, column 0"
    assert editor.click((2, 2), MIDDLE) == "start moved to row 2, column 2"
    assert editor.click((0, 2), LEFT, shift=True) == "start moved to row 0, column 2"
    assert maze.layout.to_rows() == ["..S", ".#.", "G.."]
    assert editor.click((1, 1), RIGHT) == "no goal at row 1, column 1: a wall is there"
    assert editor.click((0, 2), RIGHT).startswith("no goal at row 0, column 2: start and goal")
    assert editor.click((0, 0), 5) == ""


def test_edit_keeps_rewards_and_slip() -> None:
    env = gym.make("DynaMaze-v0", goal_reward=7, slip_probability=0.25)
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    MazeEditor(maze).click((0, 0), LEFT)
    assert (maze.layout.rewards.goal, maze.layout.slip_probability) == (7, 0.25)


@pytest.mark.parametrize(
    ("begin", "end", "cells"),
    [
        ((0, 0), (0, 3), [(0, 1), (0, 2), (0, 3)]),
        ((2, 2), (0, 0), [(1, 1), (0, 0)]),
        ((0, 0), (4, 2), [(1, 0), (2, 1), (3, 2), (4, 2)]),
    ],
)
def test_cells_between_is_complete(
    begin: tuple[int, int], end: tuple[int, int], cells: list[tuple[int, int]]
) -> None:
    assert cells_between(begin, end) == cells
