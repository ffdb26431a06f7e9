"""Panels with a maze."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from dynamaze.benchmarks.figures.maze_panel import draw_maze
from dynamaze.benchmarks.harness.analysis.plots import panels


def test_draw_maze_shows_phase() -> None:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    _, ((before, after),) = panels(1, 2)
    draw_maze(before, env, 0, "before")
    draw_maze(after, env, 1, "after")
    pictures = [axes.get_images()[0].get_array() for axes in (before, after)]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    assert after.get_title() == "after"
