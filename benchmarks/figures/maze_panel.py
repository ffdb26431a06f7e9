"""Panel of a plot with a maze."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import FramePainter

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_maze(axes: Axes, env: DynaMazeEnv, phase: int, title: str) -> None:
    """Draw the maze of a phase of an environment, without an agent, in place of a plot."""
    painter = FramePainter(env.layout.rows, env.layout.cols)
    axes.imshow(painter.paint(env.phase_scene(phase)))
    axes.set_title(title)
    axes.set_axis_off()
