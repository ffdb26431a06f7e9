"""What an agent that is a point sees. A state is (4,): position and velocity, (row, col) each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray

from ..mazes.layout import Layout
from ..observations import Form
from ..observations.basic import Slots
from ..observations.dicts import Goal
from ..observations.local import EIGHT, Frames, Picture
from ..render import scene_of
from .kernel import PADDING, WALL, draw_cells, look_around


def point_forms(max_speed: float) -> Mapping[str, Form]:
    """The forms of observation of points of at most such a speed."""
    return {
        "position": Form(Position),
        "position_velocity": Form(partial(PositionVelocity, max_speed=max_speed)),
        "rays": Form(Rays),
        "goal": Form(PointGoal, ("of",), of="position"),
        "rgb": Form(PointPicture, ("cell_size",)),
    }


class Position:
    """The position: row and column."""

    def __init__(self, layout: Layout) -> None:
        self.space = position_space(layout)

    def load(self, slot: int, layout: Layout) -> None:
        """Nothing of the maze is seen."""

    def one(self, state: Float32Array, slot: int) -> Float32Array:
        """The observation of a state: (2,) float32."""
        return state[:2].copy()

    def many(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 2) float32."""
        return positions_of(states)


class PositionVelocity:
    """The position and the velocity in cells a step: the whole state."""

    def __init__(self, layout: Layout, max_speed: float) -> None:
        place = position_space(layout)
        fastest = np.full(2, max_speed, dtype=np.float32)
        low, high = np.concatenate([place.low, -fastest]), np.concatenate([place.high, fastest])
        self.space = spaces.Box(low, high, dtype=np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Nothing of the maze is seen."""

    def one(self, state: Float32Array, slot: int) -> Float32Array:
        """The observation of a state: (4,) float32."""
        return state.copy()

    def many(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 4) float32."""
        return states.copy()


class Rays:
    """What is seen in eight directions, clockwise from up.

    First the exact distances to the next wall or the edge, in cells, then whether a goal lies
    before it, as 0 or 1.
    """

    def __init__(self, layout: Layout) -> None:
        shape = (layout.rows + 2 * PADDING, layout.cols + 2 * PADDING)
        self._mazes = Slots(shape, np.uint8)
        self._directions = np.array(EIGHT)
        farthest = float(np.sqrt(2)) * max(layout.rows, layout.cols)
        high = np.array([farthest] * len(EIGHT) + [1] * len(EIGHT), dtype=np.float32)
        self.space = spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Draw the walls and goals of the maze in a slot."""
        maze = self._mazes.stale(slot, layout)
        if maze is None:
            return
        maze[:] = WALL
        draw_cells(maze, layout)

    def one(self, state: Float32Array, slot: int) -> Float32Array:
        """The observation of a state: (16,) float32."""
        seen: Float32Array = self.many(state[None], np.array([slot]))[0]
        return seen

    def many(self, states: Float32Array, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 16) float32."""
        seen = np.empty((len(states), 2, len(EIGHT)), dtype=np.float32)
        look_around(self._mazes.arrays, slots, states, self._directions, seen)
        return seen.reshape(len(states), -1)


class PointGoal(Goal):
    """Goals as in mazes of cells, but as positions: the agent's, and the centre of the goal."""

    def _space(self, layout: Layout) -> spaces.Box:
        return position_space(layout)

    def _goal(self, layout: Layout) -> tuple[float, float]:
        row, col = layout.goals[0]
        return row + 0.5, col + 0.5

    def _place(self, state: Float32Array) -> Float32Array:
        return state[:2].copy()

    def _places(self, states: Float32Array) -> Float32Array:
        return positions_of(states)


class PointPicture(Picture):
    """A picture of the whole maze, as `render` draws it, but without the path.

    Args:
        layout: the first maze.
        cell_size: pixels a side of a cell, at least 1.
    """

    def one(self, state: Any, slot: int) -> Frames:
        """The observation of a state: (rows * cell_size, cols * cell_size, 3) uint8."""
        layout = self._layouts[slot]
        assert layout is not None
        y, x = state[:2].tolist()
        scene = scene_of(layout)._replace(agent=(int(y), int(x)), position=(y, x))
        return self._painters[slot].paint(scene)

    def many(self, states: Any, slots: IntArray) -> Frames:
        """The observations of several: (n, rows * cell_size, cols * cell_size, 3) uint8."""
        pairs = zip(states, slots.tolist(), strict=True)
        return np.stack([self.one(state, slot) for state, slot in pairs])


def positions_of(states: Float32Array) -> Float32Array:
    """(n, 2) the positions of (n, 4) states, in a new array: copied in pairs, as is fastest."""
    positions: Float32Array = np.take(states.reshape(-1, 2, 2), 0, axis=1)
    return positions


def position_space(layout: Layout) -> spaces.Box:
    """All positions in a maze."""
    high = np.array([layout.rows, layout.cols], dtype=np.float32)
    return spaces.Box(np.zeros(2, dtype=np.float32), high, dtype=np.float32)
