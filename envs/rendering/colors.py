"""Colors of the maze's parts, and the color scale of values (viridis).

All but those of floor, walls and shadows are of the palette. The scale interpolates nine of the 256
colors of Matplotlib's viridis (S. van der Walt, N. Smith, E. Firing, 2015, CC0).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, UInt8Array
from dynamaze.common.palette import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    WHITE,
    YELLOW,
    Color,
    mixed,
)

FLOOR: Color = (246, 242, 233)
FLOOR_GROOVE: Color = (229, 223, 210)
SHADOW: Color = (58, 52, 66)

WALL_TOP: Color = (92, 107, 135)
WALL_RIM: Color = (124, 139, 166)
WALL_FRONT: Color = (57, 68, 92)

START_RING = GREEN
START_PAD = mixed(GREEN, WHITE, 0.75)

GOAL_STAR = mixed(ORANGE, YELLOW, 0.5)
GOAL_SHINE = mixed(GOAL_STAR, WHITE, 0.4)
GOAL_EDGE = mixed(ORANGE, BLACK, 0.3)

AGENT = VERMILLION
AGENT_SHINE = mixed(VERMILLION, WHITE, 0.35)
AGENT_EDGE = WHITE
EYE = WHITE
PUPIL: Color = (43, 36, 54)

APPEARED = ORANGE
OPENED = GREEN

ARROW: Color = (32, 26, 44)
HALO = WHITE
VISITS = BLUE
TRACK: Color = (22, 30, 52)
TREE = BLUE
PLANNED = ORANGE
PLANNED_EDGE = mixed(ORANGE, BLACK, 0.7)
RIGHT = GREEN
WRONG = PURPLE
DARK: Color = (24, 27, 40)
UNSURE: Color = (150, 146, 158)
UNSURE_EDGE: Color = (96, 92, 106)


VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip

SHADES = 256


def _interpolated() -> UInt8Array:
    """Interpolate the color scale from `VIRIDIS`, (SHADES, 3)."""
    at, known = np.linspace(0, len(VIRIDIS) - 1, SHADES), np.arange(len(VIRIDIS))
    channels = [np.interp(at, known, channel) for channel in np.transpose(VIRIDIS)]
    shades: UInt8Array = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return shades


_SCALE = _interpolated()


def map_colors(levels: FloatArray) -> UInt8Array:
    """Map levels to colors of the scale.

    Args:
        levels: any shape, from 0 (dark) to 1 (bright); NaN, where nothing is drawn, gives the
            darkest color.

    Returns:
        RGB colors: the shape of `levels` with one more axis of 3.
    """
    return np.asarray(_SCALE[_shade(levels)])


def color_rows(levels: FloatArray, width: int) -> npt.NDArray[np.uint16]:
    """Return a row of pixels in the color of each of (n,) levels, (n, width * 3)."""
    return np.asarray(_rows(width)[_shade(levels)])


@lru_cache(maxsize=64)
def _rows(width: int) -> npt.NDArray[np.uint16]:
    return np.tile(_SCALE.astype(np.uint16), width)


def _shade(levels: FloatArray) -> npt.NDArray[np.intp]:
    """Return the index of each level's color in the scale."""
    return (np.nan_to_num(levels) * (SHADES - 1) + 0.5).astype(np.intp)
