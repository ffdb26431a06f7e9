"""Environments for the viewer, and pictures of them.

Mazes are painted in any size; other environments draw themselves and are magnified.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.changing_maze import ChangingMaze
from dynamaze.envs.maze_config import MazeConfig
from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.mazes.schedule import Schedule
from dynamaze.envs.rendering.frame import FramePainter, fitting_cell_size
from dynamaze.envs.rendering.scene import Frame, Scene, check_frame
from dynamaze.envs.rendering.window import LARGEST_CELL as LARGEST_WINDOW_CELL

LARGEST_CELL = 64  # pixels a side, until the window is resized
BLANK_FRAME: Frame = np.full((64, 64, 3), 60, dtype=np.uint8)
"""Picture of an environment whose `render` returns no array."""

TABULAR_SPACES = (spaces.Discrete, spaces.MultiDiscrete, spaces.Tuple)
"""Observation spaces that tabular agents can number."""


def make_env(
    env_id: str, *, table: bool = False, render_mode: str = "rgb_array", **options: Any
) -> gym.Env[Any, Any]:
    """Make an environment that renders frames or text.

    Args:
        env_id: registered id.
        table: a tabular agent will act in it: mazes of cells whose observations are not discrete
            are made with observation "index".
        render_mode: render mode of the environment.
        **options: arguments of `gymnasium.make`; None stands for the environment's default.

    Raises:
        gymnasium.error.Error: unknown id.
        ValueError: invalid option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    env: gym.Env[Any, Any] = gym.make(env_id, render_mode=render_mode, **given)
    has_cells = isinstance(env.unwrapped, GridEnv)
    if table and has_cells and not isinstance(env.observation_space, TABULAR_SPACES):
        return gym.make(env_id, render_mode=render_mode, observation="index", **given)
    return env


def check_draws(env: gym.Env[Any, Any]) -> None:
    """Check that pictures of an environment can be made.

    Raises:
        ValueError: it is not a maze, and has another render mode than "rgb_array".
    """
    if not isinstance(env.unwrapped, MazeEnv) and env.render_mode != "rgb_array":
        raise ValueError(
            f"an environment with render_mode={env.render_mode!r}; expected 'rgb_array', as in "
            "gymnasium.make(id, render_mode='rgb_array')"
        )


def with_drawn_changes(env: gym.Env[Any, Any], seed: int, steps: int) -> gym.Env[Any, Any]:
    """Return an environment whose changes do not depend on the agent that acts in it.

    Random changes avoid the agent, and so differ from agent to agent. Here they are drawn once, in
    one maze, and then hold at their world steps whoever acts. An environment without random changes
    is returned as it is.

    Args:
        env: the environment.
        seed: of the maze, if it is generated, and of its changes.
        steps: world steps up to which changes are drawn.
    """
    maze = env.unwrapped
    if not isinstance(maze, GridEnv) or maze.maze_config.random_changes is None:
        return env
    assert env.spec is not None
    made = make_env(
        "DynaMaze-v0",
        layout=drawn_schedule(maze.maze_config, seed, steps),
        observation=env.spec.kwargs.get("observation"),
        max_episode_steps=env.spec.max_episode_steps,
    )
    env.close()
    return made


def drawn_schedule(config: MazeConfig, seed: int, steps: int) -> Schedule:
    """Draw a maze, and its random changes up to a world step as if no agent were in it."""
    uniform = np.random.default_rng(seed).random
    maze = ChangingMaze(config)
    maze.restart(uniform)
    maze.begin_episode(0, uniform)
    phases = {0: maze.layout}
    while maze.next_change <= steps:
        step = maze.next_change
        maze.apply_due_changes(step, None, uniform)
        phases[step] = maze.layout
    return Schedule(tuple(phases.values()), tuple(phases))


class Camera:
    """Renderer of one environment, in a size that fits the window.

    Args:
        env: made with `render_mode="rgb_array"`.
        max_size: largest (width, height) of a picture, in pixels.

    Attributes:
        maze: the unwrapped environment if it is a maze; None otherwise.
        cell_size: side of a cell in pixels; 0 if it is not a maze.
    """

    def __init__(self, env: gym.Env[Any, Any], max_size: tuple[int, int]) -> None:
        self._env = env
        self._first_size = max_size
        self.maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.cell_size = 0
        self.resize(None)

    def resize(self, max_size: tuple[int, int] | None) -> None:
        """Set the largest (width, height) of a picture; None for that of the constructor."""
        self._max_size = self._first_size if max_size is None else max_size
        if self.maze is None:
            return
        rows, cols = self.maze.layout.walls.shape
        largest = LARGEST_CELL if max_size is None else LARGEST_WINDOW_CELL
        size = fitting_cell_size(rows, cols, self._max_size, largest=largest)
        if size != self.cell_size:
            self.cell_size = size
            self._painter = FramePainter(rows, cols, cell_size=size)

    def snapshot(self) -> Any:
        """Return the present state for a later `render`: a maze's scene, or else a frame."""
        return self._env.render() if self.maze is None else self.maze.scene()

    def render(self, snapshot: Any = None) -> Frame:
        """Return a picture (height, width, 3) of a snapshot; None for the present state."""
        seen = self.snapshot() if snapshot is None else snapshot
        if isinstance(seen, Scene):
            # The overlays are those of now, also over an earlier scene.
            overlays = self.maze.overlays if self.maze is not None else seen.overlays
            return self._painter.paint(seen._replace(overlays=overlays))
        return self._magnified(seen)

    def cell_at(self, x: int, y: int) -> Cell | None:
        """Return the cell at a pixel of the picture; None outside and if there is no maze."""
        if self.maze is None:
            return None
        row, col = y // self.cell_size, x // self.cell_size
        inside = 0 <= row < self.maze.layout.rows and 0 <= col < self.maze.layout.cols
        return (row, col) if inside else None

    def _magnified(self, frame: Any) -> Frame:
        """Magnify a frame by the largest integer factor that fits `max_size`."""
        if not isinstance(frame, np.ndarray):
            return BLANK_FRAME
        check_frame(frame)
        height, width = frame.shape[:2]
        times = max(1, min(self._max_size[0] // width, self._max_size[1] // height))
        return frame.repeat(times, axis=0).repeat(times, axis=1)
