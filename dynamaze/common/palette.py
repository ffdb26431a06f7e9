"""Palette of all pictures: windows, films, drawings and plots.

The palette is that of M. Okabe and K. Ito, "Color Universal Design" (2008), whose colors readers
with any color vision can tell apart.
"""

from __future__ import annotations

Color = tuple[int, int, int]  # (R, G, B), each 0 to 255

BLACK: Color = (0, 0, 0)
ORANGE: Color = (230, 159, 0)
SKY_BLUE: Color = (86, 180, 233)
GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILLION: Color = (213, 94, 0)
PURPLE: Color = (204, 121, 167)
WHITE: Color = (255, 255, 255)


def mixed(first: Color, second: Color, share: float) -> Color:
    """Return the first color with a share, from 0 to 1, of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def hex_code(color: Color) -> str:
    """Return the hexadecimal code of a color, "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)
