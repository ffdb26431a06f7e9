"""The color scale of values: viridis, which eyes of every kind see as rising evenly.

Table: nine of the 256 colors of Matplotlib's viridis (S. van der Walt, N. Smith, E. Firing, 2015,
CC0); what lies between is interpolated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip

SHADES = 256


def _interpolated() -> npt.NDArray[np.uint8]:
    at, known = np.linspace(0, len(VIRIDIS) - 1, SHADES), np.arange(len(VIRIDIS))
    channels = [np.interp(at, known, channel) for channel in np.transpose(VIRIDIS)]
    shades: npt.NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return shades


_SCALE = _interpolated()


def colors(levels: FloatArray) -> npt.NDArray[np.uint8]:
    """Give each level its color.

    Args:
        levels: any shape, from 0 (dark) to 1 (bright); NaN, where nothing is drawn, gives the
            darkest.

    Returns:
        RGB, the levels' shape with one more axis of 3.
    """
    return np.asarray(_SCALE[_shade(levels)])


def color_rows(levels: FloatArray, width: int) -> npt.NDArray[np.uint16]:
    """Give each of (n,) levels a row of pixels of its color, (n, width * 3)."""
    return np.asarray(_rows(width)[_shade(levels)])


@lru_cache(maxsize=64)
def _rows(width: int) -> npt.NDArray[np.uint16]:
    return np.tile(_SCALE.astype(np.uint16), width)


def _shade(levels: FloatArray) -> npt.NDArray[np.intp]:
    """Number the shade of each level."""
    return (np.nan_to_num(levels) * (SHADES - 1) + 0.5).astype(np.intp)
