"""Palette: colors that readers with any color vision can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from dynamaze.common import palette
from dynamaze.common.palette import Color, hex_code, mixed

PALETTE = (
    *(palette.BLACK, palette.ORANGE, palette.SKY_BLUE, palette.GREEN),
    *(palette.YELLOW, palette.BLUE, palette.VERMILLION, palette.PURPLE),
)

# Machado, Oliveira & Fernandes (2009), severity 1: linear RGB as it is seen without one
# kind of cones.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

# sRGB (IEC 61966-2-1): linear RGB to XYZ, divided by its white point.
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.089]])

NOTICEABLE = 15.0
"""Distance in CIELAB; 2.3 is just noticeable side by side (Mahy et al. 1994)."""


def lab(color: Color, vision: str) -> npt.NDArray[np.float64]:
    """Return the CIELAB coordinates (L*, a*, b*) of a color as it is seen."""
    share = np.array(color) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(VISION[vision] @ linear, 0, 1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def smallest_distance(palette: tuple[Color, ...], vision: str) -> float:
    """Return the smallest distance between two colors as they are seen."""
    seen = [lab(color, vision) for color in palette]
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))


@pytest.mark.parametrize("vision", VISION)
def test_palette_differs_in_any_vision(vision: str) -> None:
    assert smallest_distance(PALETTE, vision) > NOTICEABLE


def test_distance_detects_confusable_colors() -> None:
    # Matplotlib's default green and red, and brown and green.
    default = ((44, 160, 44), (214, 39, 40), (140, 86, 75))
    assert smallest_distance(default, "normal") > 30
    assert smallest_distance(default, "deuteranopia") < NOTICEABLE


def test_mixed_has_ends() -> None:
    assert mixed(palette.BLUE, palette.WHITE, 0) == palette.BLUE
    assert mixed(palette.BLUE, palette.WHITE, 1) == palette.WHITE
    assert mixed((0, 10, 20), (10, 20, 40), 0.5) == (5, 15, 30)


def test_hex_code_has_two_digits_each() -> None:
    assert hex_code((0, 10, 255)) == "#000aff"
