"""Layout of a window's frame: the picture, the strip below it, and help or a message over it.

Text is rendered by pygame without a display, with the same pixels on every machine. The font is
DejaVu Sans, which is installed with Matplotlib (not imported for that); without it, pygame's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.palette import VERMILLION, Color
from dynamaze.envs.rendering.colors import FLOOR, GOAL_STAR, map_colors
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import BACKGROUND, require_pygame

PLAIN, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"

Font = tuple[str, int]  # file name and size

STRIP: Color = (33, 37, 50)
EDGE: Color = (58, 64, 84)
LABEL: Color = (143, 152, 178)
VALUE: Color = (240, 242, 248)
NOTE: Color = (186, 194, 214)
KEY = GOAL_STAR
RECORDING = VERMILLION

STRIP_HEIGHT = 96
MARGIN = 14
LEAST_GAP = 4  # between two fields, in pixels
NOTE_TOP, LEGEND_TOP = 51, 72  # of the second and the third line, in pixels
BAR = (110, 10)  # largest width, and height, of the color bar
LABEL_FONT: Font = (PLAIN, 11)
VALUE_FONT: Font = (BOLD, 16)
NOTE_FONT: Font = (PLAIN, 12)
HELP_FONT: Font = (PLAIN, 13)
KEY_FONT: Font = (BOLD, 13)
LINE = 21  # height of a line of the help, in pixels
PANEL_MARGIN = 20
DIMMED = 0.07  # opacity of the maze behind the help


class Status(NamedTuple):
    """Content of the status strip."""

    fields: Sequence[tuple[str, str]]  # pairs (label, value), from left to right
    note: str = ""
    aside: str = ""  # right-aligned, in the line of the note
    recording: bool = False
    overlays: str = ""  # titles of the overlays that are shown
    values: tuple[float, float] | None = None  # ends of the color scale; None for no color bar


HelpLine = tuple[str, str]  # (keys, description); ("", heading) is a heading


class WindowLayout:
    """Layout of frames with pictures of one size.

    Attributes:
        origin: (x, y) of the picture's top left corner in the last frame.
    """

    def __init__(self, min_size: tuple[int, int] = (0, 0)) -> None:
        """Set the smallest size above the strip, (width, height)."""
        self._min_size = min_size
        self.origin = (0, 0)

    def compose(
        self,
        picture: Frame,
        status: Status,
        help_lines: Sequence[HelpLine] = (),
        *,
        banner: str = "",
        room: tuple[int, int] | None = None,
    ) -> Frame:
        """Compose a frame for a window or a video.

        Args:
            picture: (height, width, 3).
            status: content of the strip.
            help_lines: content of the help panel; empty for no panel.
            banner: message over the picture; empty for none. The help hides it.
            room: (width, height) above the strip. None: at least the smallest size, and even, for
                video encoders.
        """
        height, width = picture.shape[:2]
        if room is None:
            wide, high = _even(max(self._min_size[0], width)), _even(max(self._min_size[1], height))
        else:
            wide, high = max(room[0], width), max(room[1], height)
        self.origin = x, y = (wide - width) // 2, (high - height) // 2
        frame = np.empty((high + STRIP_HEIGHT, wide, 3), dtype=np.uint8)
        if (wide, high) != (width, height):
            frame[:high] = BACKGROUND
        frame[y : y + height, x : x + width] = picture
        if help_lines:
            frame[:high] = paint_help(frame[:high], help_lines)
        elif banner:
            frame[:high] = paint_banner(frame[:high], banner)
        frame[high:] = paint_strip(wide, status)
        return frame


def paint_strip(width: int, status: Status) -> Frame:
    """Return a frame of the status strip, (STRIP_HEIGHT, width, 3)."""
    surface = TextSurface.plain(width, STRIP_HEIGHT, STRIP)
    surface.fill((0, 0, width, 2), EDGE)
    column = (width - MARGIN) / max(1, len(status.fields))  # all columns are equally wide
    for index, (label, value) in enumerate(status.fields):
        x = MARGIN + round(index * column)
        room = round(column) - LEAST_GAP
        surface.write(truncated(label, LABEL_FONT, room), (x, 9), LABEL_FONT, LABEL)
        surface.write(truncated(value, VALUE_FONT, room), (x, 24), VALUE_FONT, VALUE)
    right = width - MARGIN
    if status.aside:
        right = surface.write_right(status.aside, (right, NOTE_TOP), NOTE_FONT, LABEL) - MARGIN
    if status.recording:
        right = surface.write_right("REC", (right, NOTE_TOP), NOTE_FONT, RECORDING) - 10
        surface.dot((right, NOTE_TOP + 9), 4, RECORDING)
        right -= MARGIN
    note = truncated(status.note, NOTE_FONT, right - MARGIN)
    surface.write(note, (MARGIN, NOTE_TOP), NOTE_FONT, NOTE)
    right = _write_scale(surface, status.values) if status.values is not None else width
    overlays = truncated(status.overlays, NOTE_FONT, right - 2 * MARGIN)
    surface.write(overlays, (MARGIN, LEGEND_TOP), NOTE_FONT, LABEL)
    return surface.frame()


def _write_scale(surface: TextSurface, ends: tuple[float, float]) -> int:
    """Write a color bar with its numbers at the right; return its left end."""
    wide, high = min(BAR[0], surface.width // 6), BAR[1]
    top = LEGEND_TOP + 3
    right = surface.write_right("no value", (surface.width - MARGIN, LEGEND_TOP), NOTE_FONT, LABEL)
    right -= high + 5
    surface.fill((right, top, high, high), FLOOR)
    low, largest = (format_value(end) for end in ends)
    right = surface.write_right(largest, (right - MARGIN, LEGEND_TOP), NOTE_FONT, NOTE) - 6
    bar = map_colors(np.linspace(0.0, 1.0, wide) if ends[0] < ends[1] else np.full(wide, 0.5))
    surface.paste(np.broadcast_to(bar, (high, wide, 3)), (right - wide, top))
    return surface.write_right(low, (right - wide - 6, LEGEND_TOP), NOTE_FONT, NOTE)


def format_value(value: float) -> str:
    """Format a state or action value with three significant digits."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def paint_banner(picture: Frame, text: str) -> Frame:
    """Return the picture with a line of text in a box in its middle."""
    surface = TextSurface(picture)
    shown = truncated(text, VALUE_FONT, surface.width - 2 * MARGIN)
    width, height = text_width(shown, VALUE_FONT) + 2 * MARGIN, LINE + MARGIN
    x, y = (surface.width - width) // 2, (surface.height - height) // 2
    surface.fill((x - 1, y - 1, width + 2, height + 2), EDGE)
    surface.fill((x, y, width, height), STRIP)
    surface.write(shown, (x + MARGIN, y + MARGIN // 2), VALUE_FONT, VALUE)
    return surface.frame()


def paint_help(picture: Frame, lines: Sequence[HelpLine]) -> Frame:
    """Return the picture, dimmed, with the help in two columns over it."""
    base = np.array(BACKGROUND, dtype=np.float64)
    dimmed = (base + DIMMED * (picture - base)).astype(np.uint8)
    surface = TextSurface(dimmed)
    left, right = _columns(lines)
    middle = _write_lines(surface, left, PANEL_MARGIN) + PANEL_MARGIN
    _write_lines(surface, right, max(middle, surface.width // 2 - PANEL_MARGIN))
    return surface.frame()


def _write_lines(surface: TextSurface, lines: Sequence[HelpLine], x: int) -> int:
    """Write a column of the help from x on; return its right end."""
    indent = x + max(text_width(keys, KEY_FONT) for keys, _ in lines) + PANEL_MARGIN
    end = x
    for row, (keys, text) in enumerate(lines):
        y = PANEL_MARGIN + row * LINE
        if not keys:
            surface.write(text.upper(), (x, y + 2), LABEL_FONT, LABEL)
            continue
        surface.write(keys, (x, y), KEY_FONT, KEY)
        room = surface.width - indent - 2
        end = max(
            end, surface.write(truncated(text, HELP_FONT, room), (indent, y), HELP_FONT, VALUE)
        )
    return end


def _columns(lines: Sequence[HelpLine]) -> tuple[Sequence[HelpLine], Sequence[HelpLine]]:
    """Split the lines into two columns before the last heading."""
    headings = [index for index, (keys, _) in enumerate(lines) if not keys]
    cut = headings[-1] if headings else len(lines)
    return lines[:cut], lines[cut:]


def _even(length: int) -> int:
    return length + length % 2


class TextSurface:
    """Off-screen surface to write on.

    Attributes:
        width: pixels.
        height: pixels.
    """

    def __init__(self, frame: Frame) -> None:
        """Copy a frame (height, width, 3)."""
        self.height, self.width = frame.shape[:2]
        # Independent of windows, so it survives `pygame.quit()`.
        self._surface = _pygame().image.frombuffer(
            frame.tobytes(), (self.width, self.height), "RGB"
        )

    @classmethod
    def plain(cls, width: int, height: int, color: Color) -> TextSurface:
        """Return a surface of one color."""
        surface = cls(np.zeros((height, width, 3), dtype=np.uint8))
        surface.fill((0, 0, width, height), color)
        return surface

    def write(self, text: str, at: tuple[int, int], font: Font, color: Color) -> int:
        """Write a line.

        Args:
            text: the line; it is clipped at the right end of the surface.
            at: (x, y) of its top left corner.
            font: PLAIN or BOLD, and its size.
            color: color of the letters.

        Returns:
            The x at its right end.
        """
        letters = _font(font).render(text, True, color)
        self._surface.blit(letters, at)
        return at[0] + int(letters.get_width())

    def write_right(self, text: str, at: tuple[int, int], font: Font, color: Color) -> int:
        """Write a line that ends at x; return the x at its left end."""
        x = at[0] - text_width(text, font)
        self.write(text, (x, at[1]), font, color)
        return x

    def fill(self, box: tuple[int, int, int, int], color: Color) -> None:
        """Fill a box (x, y, width, height)."""
        self._surface.fill(color, box)

    def paste(self, picture: Frame, at: tuple[int, int]) -> None:
        """Draw a picture (height, width, 3) with its top left corner at (x, y)."""
        import pygame

        size = picture.shape[1], picture.shape[0]
        self._surface.blit(pygame.image.frombuffer(picture.tobytes(), size, "RGB"), at)

    def dot(self, at: tuple[int, int], radius: int, color: Color) -> None:
        """Draw a disc around (x, y)."""
        import pygame

        pygame.draw.aacircle(self._surface, color, at, radius)

    def frame(self) -> Frame:
        """Return the pixels, (height, width, 3)."""
        import pygame

        pixels = pygame.image.tobytes(self._surface, "RGB")
        return np.frombuffer(pixels, dtype=np.uint8).reshape(self.height, self.width, 3)


def text_width(text: str, font: Font) -> int:
    """Return the width of a line in pixels."""
    return int(_font(font).size(text)[0])


def truncated(text: str, font: Font, width: int) -> str:
    """Return the line, truncated with "..." if it is wider than `width` pixels."""
    if text_width(text, font) <= width:
        return text
    while text and text_width(text + "...", font) > width:
        text = text[:-1]
    return text.rstrip(" ,·") + "..."


def _font(font: Font) -> Any:
    """Return a loaded font; pygame is initialised again if needed."""
    pygame = _pygame()
    if not pygame.font.get_init():  # another library may have shut pygame down
        pygame.font.init()
        _load.cache_clear()
    return _load(font)


@cache
def _pygame() -> Any:
    """Return pygame, which is checked once."""
    require_pygame()
    import pygame

    return pygame


@cache
def _load(font: Font) -> Any:
    """Load a font from Matplotlib's files, or else pygame's default font."""
    import pygame

    name, size = font
    found = find_spec("matplotlib")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        path = Path(folder, "mpl-data", "fonts", "ttf", name)
        if path.is_file():
            return pygame.font.Font(path, size)
    return pygame.font.Font(None, round(1.4 * size))
