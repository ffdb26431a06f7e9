"""View of one environment: its picture with the overlays of the agent that acts in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.overlay_measures import value_range
from dynamaze.envs.rendering.overlays import OVERLAYS, SWITCHES
from dynamaze.envs.rendering.scene import Frame

from .environment import Camera
from .overlays import OverlaySource


class View:
    """Picture of one environment with overlays.

    Args:
        env: the environment.
        camera: renders it.
        overlay_source: source of the overlays' arrays.
        dark: cover the cells of which the predicted walls, if they are shown, say nothing.

    Attributes:
        maze: the unwrapped environment if it is a maze; None otherwise.
        snapshot: shown instead of the present state, such as the end of an episode; None for none.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        camera: Camera,
        overlay_source: OverlaySource,
        *,
        dark: bool = False,
    ) -> None:
        self.maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.camera, self.overlay_source, self.dark = camera, overlay_source, dark
        self.snapshot: Any = None

    def render(self) -> Frame:
        """Return the picture, (height, width, 3)."""
        return self.camera.render(self.snapshot)

    def update_overlays(self, shown: Collection[str]) -> None:
        """Give the maze the present arrays of the overlays that are shown, by name."""
        if self.maze is None:
            return
        # None removes the arrays of overlays that are no longer shown.
        given: dict[str, Any] = dict.fromkeys(set(OVERLAYS) - set(SWITCHES))
        available = [name for name in shown if not self.overlay_source.unavailable(name)]
        given.update(self.overlay_source.arrays(available), dark=self.dark)
        shape = self.maze.layout.rows, self.maze.layout.cols
        self.maze.overlays = self.maze.overlays.replace(shape, **given).only(shown)

    @property
    def drawn_overlays(self) -> tuple[str, ...]:
        """Names of the overlays that are drawn, but not of parts of the maze."""
        return () if self.maze is None else self.maze.overlays.names

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Ends of the color scale of values; None if there is none."""
        if self.maze is None or not self.maze.overlays.visible().colored:
            return None
        low, high = value_range(self.maze.scene().visible())
        return (low, high) if low <= high else None
