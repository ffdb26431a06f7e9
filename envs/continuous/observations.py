"""Encoders of observations for points. A state is (4,): position and velocity, (row, col) each."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.registry import Registry

from ..mazes.layout import Layout
from ..observations.dicts import GoalObservation
from ..observations.encoders import RAY_DIRECTIONS, EncoderKinds, SlotCache, rays_space
from ..observations.image import ImageObservation
from ..rendering.scene import Scene, layout_scene
from .kernel import PADDING, WALL, cast_rays, draw_cells


def point_observations(max_speed: float) -> EncoderKinds:
    """Return the kinds of observation of points with this maximum speed."""
    return Registry(
        "observation",
        {
            "position": PositionObservation,
            "position_velocity": partial(PositionVelocityObservation, max_speed=max_speed),
            "rays": PointRaysObservation,
            "goal": PointGoalObservation,
            "rgb": PointImageObservation,
        },
    )


class PositionObservation(Configurable):
    """Position: row and column."""

    def __init__(self, layout: Layout) -> None:
        self.space = position_space(layout)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: Float32Array, slot: int) -> Float32Array:
        """Return the observation of a state: (2,) float32."""
        return state[:2].copy()

    def encode_batch(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 2) float32."""
        return positions_of(states)


class PositionVelocityObservation(Configurable):
    """Position, and velocity in cells per step: the whole state."""

    def __init__(self, layout: Layout, max_speed: float) -> None:
        box = position_space(layout)
        fastest = np.full(2, max_speed, dtype=np.float32)
        low, high = np.concatenate([box.low, -fastest]), np.concatenate([box.high, fastest])
        self.space = spaces.Box(low, high, dtype=np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: Float32Array, slot: int) -> Float32Array:
        """Return the observation of a state: (4,) float32."""
        return state.copy()

    def encode_batch(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 4) float32."""
        return states.copy()


class PointRaysObservation(Configurable):
    """Rays in eight directions, clockwise from up.

    First the exact distances to the next wall or the edge, in cells, then 1 for each ray that
    meets a goal before it and 0 otherwise.
    """

    def __init__(self, layout: Layout) -> None:
        shape = (layout.rows + 2 * PADDING, layout.cols + 2 * PADDING)
        self._cells = SlotCache(shape, np.uint8)
        self._directions = np.array(RAY_DIRECTIONS)
        self.space = rays_space(float(np.sqrt(2)) * max(layout.rows, layout.cols))

    def load(self, slot: int, layout: Layout) -> None:
        """Write the walls and goals of the maze in a slot."""
        cells = self._cells.stale(slot, layout)
        if cells is None:
            return
        cells[:] = WALL
        draw_cells(cells, layout)

    def encode(self, state: Float32Array, slot: int) -> Float32Array:
        """Return the observation of a state: (16,) float32."""
        seen: Float32Array = self.encode_batch(state[None], np.array([slot]))[0]
        return seen

    def encode_batch(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 16) float32."""
        seen = np.empty((len(states), 2, len(RAY_DIRECTIONS)), dtype=np.float32)
        cast_rays(self._cells.arrays, slots, states, self._directions, seen)
        return seen.reshape(len(states), -1)


class PointGoalObservation(GoalObservation):
    """Goals as on a grid, but as positions: the agent's, and the centre of the goal's cell."""

    inner: ClassVar = "position"

    def _space(self, layout: Layout) -> spaces.Box:
        return position_space(layout)

    def _goal(self, layout: Layout) -> tuple[float, float]:
        row, col = layout.goals[0]
        return row + 0.5, col + 0.5

    def _achieved(self, state: Float32Array) -> Float32Array:
        return state[:2].copy()

    def _achieved_batch(self, states: Float32Array) -> Float32Array:
        return positions_of(states)


class PointImageObservation(ImageObservation):
    """Image of the whole maze, as `render` draws it but without the path."""

    def _scene(self, layout: Layout, state: Any) -> Scene:
        y, x = state[:2].tolist()
        return layout_scene(layout)._replace(agent=(int(y), int(x)), position=(y, x))


def positions_of(states: Float32Array) -> Float32Array:
    """Return (n, 2) the positions of (n, 4) states, in a new array."""
    # Copying pairs is the fastest way.
    positions: Float32Array = np.take(states.reshape(-1, 2, 2), 0, axis=1)
    return positions


def position_space(layout: Layout) -> spaces.Box:
    """Return the space of all positions in a maze."""
    high = np.array([layout.rows, layout.cols], dtype=np.float32)
    return spaces.Box(np.zeros(2, dtype=np.float32), high, dtype=np.float32)
