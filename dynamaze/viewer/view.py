"""View of one environment: its picture with the overlays of the agent that acts in it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.rendering.overlay_measures import value_range
from dynamaze.envs.rendering.overlays import OVERLAYS, SWITCHES
from dynamaze.envs.rendering.scene import Frame

from .curves import rounded_up
from .environment import Camera
from .overlays import OverlaySource

LEAST_USED = 0.5
"""Share of the color scale that a new one must have for the present one to stay."""

SCALE_STEPS = 4
"""Number of steps from 0 to a round number that is not below the values, at which scales end."""


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
        overlays = None if self.maze is None else self.maze.overlays
        self._given_range = None if overlays is None else overlays.value_range
        self._range = self._given_range

    def render(self) -> Frame:
        """Return the picture, (height, width, 3)."""
        return self.camera.render(self.snapshot)

    def update_overlays(self, shown: Collection[str], *, still: Collection[str] = ()) -> None:
        """Give the maze the present arrays of the overlays that are shown.

        Args:
            shown: names of overlays.
            still: names of those whose arrays stay as they are.
        """
        if self.maze is None:
            return
        # None removes the arrays of overlays that are no longer shown.
        given: dict[str, Any] = dict.fromkeys(set(OVERLAYS) - set(SWITCHES))
        available = [name for name in shown if not self.overlay_source.unavailable(name)]
        given.update(self.overlay_source.arrays(available), dark=self.dark)
        given = {name: array for name, array in given.items() if name not in still}
        shape = self.maze.layout.rows, self.maze.layout.cols
        self.maze.overlays = self.maze.overlays.replace(shape, **given).only(shown)
        if self._given_range is None and self.maze.overlays.visible().colored:
            self.maze.overlays = self.maze.overlays.replace(shape, value_range=self._scale())

    def _scale(self) -> tuple[float, float] | None:
        """Return the ends of the color scale, which stand still while the values fit them."""
        assert self.maze is not None
        scene = self.maze.scene().visible()
        ends = value_range(scene._replace(overlays=replace(scene.overlays, value_range=None)))
        self._range = fitting_range(*ends, self._range)
        return self._range

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


def fitting_range(
    low: float, high: float, before: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return the ends of a color scale for values from low to high.

    They are multiples of a quarter of a round number, so that the scale moves seldom: colors of one
    frame compare with those of another, and small differences of large values do not fill it.

    Args:
        low: smallest value; NaN if there is none.
        high: largest value.
        before: the present ends, kept if the values fit them and use enough of them; None for none.

    Returns:
        (low, high), or `before` if there is no value but 0.
    """
    largest = max(abs(low), abs(high))
    if not 0 < largest < math.inf:
        return before
    step = rounded_up(largest) / SCALE_STEPS
    first, last = math.floor(low / step), math.ceil(high / step)
    ends = first * step, max(last, first + 1) * step
    fits = before is not None and before[0] <= low and high <= before[1]
    if before is not None and fits and ends[1] - ends[0] >= LEAST_USED * (before[1] - before[0]):
        return before
    return ends
