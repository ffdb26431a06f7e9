"""Writing in pictures: the same with and without a display, and on every machine.

The letters are DejaVu Sans, which Matplotlib brings along (it is not loaded for that); without it
they are those of pygame's own font, which knows one weight only.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.envs.rendering.palette import Color
from dynamaze.envs.rendering.pygame_ce import require_pygame
from dynamaze.envs.rendering.scene import Frame

PLAIN, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"

Font = tuple[str, int]  # file and size


class Sheet:
    """A surface to write on.

    Attributes:
        width: pixels.
        height: pixels.
    """

    def __init__(self, frame: Frame) -> None:
        """Take a frame (height, width, 3); it is copied."""
        require_pygame()
        import pygame

        self.height, self.width = frame.shape[:2]
        # A surface like this belongs to no window, so that nobody can shut it down.
        self._surface = pygame.image.frombuffer(frame.tobytes(), (self.width, self.height), "RGB")

    @classmethod
    def plain(cls, width: int, height: int, color: Color) -> Sheet:
        """A sheet of one color."""
        return cls(np.full((height, width, 3), color, dtype=np.uint8))

    def write(self, text: str, at: tuple[int, int], font: Font, color: Color) -> int:
        """Write a line.

        Args:
            text: the line; it may end outside.
            at: (x, y) of its left upper corner.
            font: PLAIN or BOLD, and its size.
            color: of the letters.

        Returns:
            The x where it ends.
        """
        letters = _font(font).render(text, True, color)
        self._surface.blit(letters, at)
        return at[0] + int(letters.get_width())

    def write_right(self, text: str, at: tuple[int, int], font: Font, color: Color) -> int:
        """Write a line that ends at x; gives the x where it begins."""
        x = at[0] - text_width(text, font)
        self.write(text, (x, at[1]), font, color)
        return x

    def fill(self, box: tuple[int, int, int, int], color: Color) -> None:
        """Fill a box (x, y, width, height)."""
        self._surface.fill(color, box)

    def dot(self, at: tuple[int, int], radius: int, color: Color) -> None:
        """Draw a disc round (x, y)."""
        import pygame

        pygame.draw.aacircle(self._surface, color, at, radius)

    def frame(self) -> Frame:
        """What is on the sheet, (height, width, 3)."""
        import pygame

        pixels = pygame.image.tobytes(self._surface, "RGB")
        return np.frombuffer(pixels, dtype=np.uint8).reshape(self.height, self.width, 3)


def text_width(text: str, font: Font) -> int:
    """How many pixels wide a line is."""
    return int(_font(font).size(text)[0])


def fitted(text: str, font: Font, width: int) -> str:
    """The line, cut short by "..." where it is wider than so many pixels."""
    if text_width(text, font) <= width:
        return text
    while text and text_width(text + "...", font) > width:
        text = text[:-1]
    return text.rstrip(" ,·") + "..."


def _font(font: Font) -> Any:
    require_pygame()
    import pygame

    if not pygame.font.get_init():  # another library may have shut pygame down
        pygame.font.init()
        _load.cache_clear()
    return _load(font)


@cache
def _load(font: Font) -> Any:
    import pygame

    name, size = font
    found = find_spec("matplotlib")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        path = Path(folder, "mpl-data", "fonts", "ttf", name)
        if path.is_file():
            return pygame.font.Font(path, size)
    return pygame.font.Font(None, round(1.4 * size))
