"""Encoder of images, drawn by the renderer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import IntArray, UInt8Array
from dynamaze.common.configuration import Configurable
from dynamaze.common.validation import checked_integer

from ..mazes.layout import Layout
from ..rendering.frame import FramePainter
from ..rendering.scene import Scene, layout_scene

MAX_PIXELS = 2**26
"""Pixels of an image: the largest maze may have cells of 4x4."""


class ImageObservation(Configurable):
    """Image of the whole maze, as `render` draws it but without the trail.

    Args:
        layout: the first maze.
        cell_size: side of a cell in pixels, at least 1.

    Raises:
        ValueError: for a size below 1, or an image of more than 2**26 pixels; TypeError if it is
            not a number.
    """

    options: ClassVar = ("cell_size",)

    def __init__(self, layout: Layout, cell_size: int = 8) -> None:
        self._size = checked_integer("cell_size", cell_size, 1, 256)
        self._shape = (layout.rows, layout.cols)
        pixels = layout.num_cells * self._size**2
        if pixels > MAX_PIXELS:
            raise ValueError(
                f"cell_size={self._size} in a maze of {layout.rows}x{layout.cols}: an image of "
                f"{pixels:,} pixels; expected at most {MAX_PIXELS:,}"
            )
        self._painters: list[FramePainter] = []
        self._layouts: list[Layout | None] = []
        frame = (layout.rows * self._size, layout.cols * self._size, 3)
        self.space = spaces.Box(0, 255, frame, np.uint8)

    def load(self, slot: int, layout: Layout) -> None:
        """Store the maze of a slot; its painter caches what does not move."""
        while slot >= len(self._painters):
            self._painters.append(FramePainter(*self._shape, cell_size=self._size))
            self._layouts.append(None)
        self._layouts[slot] = layout

    def encode(self, state: Any, slot: int) -> UInt8Array:
        """Return the observation of a state: (rows * cell_size, cols * cell_size, 3) uint8."""
        layout = self._layouts[slot]
        assert layout is not None
        return self._painters[slot].paint(self._scene(layout, state))

    def encode_batch(self, states: Any, slots: IntArray) -> UInt8Array:
        """Return the observations of a batch: (n, rows * cell_size, cols * cell_size, 3) uint8."""
        pairs = zip(states, slots.tolist(), strict=True)
        return np.stack([self.encode(state, slot) for state, slot in pairs])

    # -- overridden where agents are points -------------------------------------------------------

    def _scene(self, layout: Layout, state: Any) -> Scene:
        return layout_scene(layout)._replace(agent=layout.cell(int(state)))
