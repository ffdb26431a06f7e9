"""Floor and walls of a frame: one tile for each combination of neighbouring walls.

Light falls from the top left. A wall is a block seen slightly from the front: above a free cell its
front side is visible, and it casts a soft shadow on the floor below and to the right. Beyond the
border of the maze its outermost cells are repeated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray

from . import colors
from .scene import Frame
from .shapes import Box, Corners, Grid, coverage, make_grid
from .sprites import compose
from .symbols import FLOOR_PARTS, Part

ROUND = 0.2  # radius of a wall's corner without neighbours, in cells
FRONT = 0.2  # height of a wall's front side
RIM = 0.06  # width of the bright rim of a wall's top
SHADE_BELOW, SHADE_RIGHT = 0.30, 0.16  # reach of a wall's shadow
SHADE = 0.30  # opacity of a shadow at the wall

WALL_TILES = 16  # number of wall tiles; the floor tiles follow


def paint_ground(walls: BoolArray, size: int) -> Frame:
    """Paint the floor and the walls.

    Args:
        walls: (rows, cols).
        size: side of a cell, in pixels.

    Returns:
        A new array (rows * size, cols * size, 3).
    """
    rows, cols = walls.shape
    tiles = _tiles(size)[_tile_numbers(walls)]  # (rows, cols, size, size, 3)
    return tiles.swapaxes(1, 2).reshape(rows * size, cols * size, 3)


def _tile_numbers(walls: BoolArray) -> npt.NDArray[np.intp]:
    """Return the tile index of each cell from the walls around it, (rows, cols)."""
    padded = np.pad(walls, 1, mode="edge").astype(np.intp)
    up, down = padded[:-2, 1:-1], padded[2:, 1:-1]
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    wall = up + 2 * right + 4 * down + 8 * left
    floor = WALL_TILES + up + 2 * left + 4 * padded[:-2, :-2]
    return np.where(walls, wall, floor)


@lru_cache(maxsize=8)
def _tiles(size: int) -> Frame:
    """Draw every tile, (16 wall tiles + 8 floor tiles, size, size, 3)."""
    grid = make_grid(size)
    walls = [_wall_tile(grid, *_bits(code, 4)) for code in range(WALL_TILES)]
    floors = [_floor_tile(grid, *_bits(code, 3)) for code in range(8)]
    return np.stack(walls + floors)


def _bits(code: int, count: int) -> list[bool]:
    """Return the lowest bits of a tile index, lowest first."""
    return [bool(code >> bit & 1) for bit in range(count)]


def _floor_tile(grid: Grid, up: bool, left: bool, corner: bool) -> Frame:
    """Draw a floor tile; the flags say which neighbours are walls that cast a shadow."""
    floor, _ = compose(FLOOR_PARTS, grid)
    shade = _shade(grid, up, left, corner)[..., np.newaxis]
    return _rounded(floor * (1.0 - shade) + np.asarray(colors.SHADOW, dtype=np.float64) * shade)


def _shade(grid: Grid, up: bool, left: bool, corner: bool) -> FloatArray:
    """Return the opacity of the shadow of walls above, to the left, and diagonally between."""
    below = np.clip(1 - grid.y / SHADE_BELOW, 0, 1)
    beside = np.clip(1 - grid.x / SHADE_RIGHT, 0, 1)
    shade = np.zeros(np.broadcast_shapes(below.shape, beside.shape))
    for wall, dark in ((up, below), (left, beside), (corner, below * beside)):
        shade = np.maximum(shade, dark * dark if wall else 0.0)
    return SHADE * coverage(grid, shade)


def _wall_tile(grid: Grid, up: bool, right: bool, down: bool, left: bool) -> Frame:
    """Draw a wall tile; the flags say on which sides the wall continues."""
    bottom = 1.0 if down else 1.0 - FRONT
    corners = Corners(
        0 if up or left else ROUND,
        0 if up or right else ROUND,
        0 if down or right else ROUND,
        0 if down or left else ROUND,
    )
    top = (
        0.0 if left else RIM,
        0.0 if up else RIM,
        1.0 if right else 1.0 - RIM,
        1.0 if down else bottom - RIM / 2,
    )
    inner = Corners(*(max(0.0, radius - RIM) for radius in corners))
    wall = (
        Part(colors.WALL_FRONT, Box(0, 0, 1, 1, corners)),
        Part(colors.WALL_RIM, Box(0, 0, 1, bottom, corners)),
        Part(colors.WALL_TOP, Box(*top, inner)),
    )
    return _rounded(compose((*FLOOR_PARTS, *wall), grid)[0])


def _rounded(color: FloatArray) -> Frame:
    """Convert opaque colors to pixels."""
    return np.rint(color).astype(np.uint8)
