"""What a window shows: the maze in the middle, below it the status strip, over it the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynamaze.envs.rendering.palette import Color
from dynamaze.envs.rendering.scene import Frame

from .text import BOLD, PLAIN, Font, Sheet, fitted, text_width

BACKGROUND: Color = (24, 27, 37)
STRIP: Color = (33, 37, 50)
EDGE: Color = (58, 64, 84)
LABEL: Color = (143, 152, 178)
VALUE: Color = (240, 242, 248)
NOTE: Color = (186, 194, 214)
KEY: Color = (252, 196, 54)
RECORDING: Color = (233, 84, 84)

STRIP_HEIGHT = 74
MARGIN = 14
LABEL_FONT: Font = (PLAIN, 11)
VALUE_FONT: Font = (BOLD, 16)
NOTE_FONT: Font = (PLAIN, 12)
HELP_FONT: Font = (PLAIN, 13)
KEY_FONT: Font = (BOLD, 13)
LINE = 21  # pixels from one line of the help to the next
PANEL_MARGIN = 20
DIMMED = 0.07  # how much of the maze is seen through the help


class Status(NamedTuple):
    """What stands in the strip."""

    fields: Sequence[tuple[str, str]]  # pairs (label, value), from left to right
    note: str = ""
    aside: str = ""  # at the right of the note
    recording: bool = False


HelpLine = tuple[str, str]  # keys, and what they do; ("", heading) is a heading


class Stage:
    """Puts pictures of one size, strips and help together.

    Attributes:
        origin: (x, y) of the picture's left upper corner in the last frame.
    """

    def __init__(self, min_size: tuple[int, int] = (0, 0)) -> None:
        """Choose how much room there is at least above the strip, (width, height)."""
        self._min_size = min_size
        self.origin = (0, 0)

    def compose(self, picture: Frame, status: Status, help_lines: Sequence[HelpLine] = ()) -> Frame:
        """One frame for a window or a film; its sides are even, as video encoders ask.

        Args:
            picture: (height, width, 3).
            status: for the strip.
            help_lines: what the panel over the picture says; none for no panel.
        """
        height, width = picture.shape[:2]
        wide, high = (
            _even(max(*pair)) for pair in zip(self._min_size, (width, height), strict=True)
        )
        self.origin = x, y = (wide - width) // 2, (high - height) // 2
        frame = np.empty((high + STRIP_HEIGHT, wide, 3), dtype=np.uint8)
        frame[:high] = BACKGROUND
        frame[y : y + height, x : x + width] = picture
        if help_lines:
            frame[:high] = paint_help(frame[:high], help_lines)
        frame[high:] = paint_strip(wide, status)
        return frame


def paint_strip(width: int, status: Status) -> Frame:
    """The status strip, (STRIP_HEIGHT, width, 3)."""
    sheet = Sheet.plain(width, STRIP_HEIGHT, STRIP)
    sheet.fill((0, 0, width, 2), EDGE)
    column = (width - MARGIN) / max(1, len(status.fields))
    for index, (label, value) in enumerate(status.fields):
        x = MARGIN + round(index * column)
        room = round(column) - 6
        sheet.write(fitted(label, LABEL_FONT, room), (x, 9), LABEL_FONT, LABEL)
        sheet.write(fitted(value, VALUE_FONT, room), (x, 24), VALUE_FONT, VALUE)
    right = width - MARGIN
    if status.aside:
        right = sheet.write_right(status.aside, (right, 51), NOTE_FONT, LABEL) - MARGIN
    if status.recording:
        right = sheet.write_right("REC", (right, 51), NOTE_FONT, RECORDING) - 10
        sheet.dot((right, 60), 4, RECORDING)
        right -= MARGIN
    note = fitted(status.note, NOTE_FONT, right - MARGIN)
    sheet.write(note, (MARGIN, 51), NOTE_FONT, NOTE)
    return sheet.frame()


def paint_help(picture: Frame, lines: Sequence[HelpLine]) -> Frame:
    """The picture, dimmed, with the help in two columns over it."""
    base = np.array(BACKGROUND, dtype=np.float64)
    dimmed = (base + DIMMED * (picture - base)).astype(np.uint8)
    sheet = Sheet(dimmed)
    left, right = _columns(lines)
    middle = _write_lines(sheet, left, PANEL_MARGIN) + PANEL_MARGIN
    _write_lines(sheet, right, max(middle, sheet.width // 2 - PANEL_MARGIN))
    return sheet.frame()


def _write_lines(sheet: Sheet, lines: Sequence[HelpLine], x: int) -> int:
    """Write a column of the help that begins at x; gives the x where it ends."""
    indent = x + max(text_width(keys, KEY_FONT) for keys, _ in lines) + PANEL_MARGIN
    end = x
    for row, (keys, text) in enumerate(lines):
        y = PANEL_MARGIN + row * LINE
        if not keys:
            sheet.write(text.upper(), (x, y + 2), LABEL_FONT, LABEL)
            continue
        sheet.write(keys, (x, y), KEY_FONT, KEY)
        room = sheet.width - indent - 2
        end = max(end, sheet.write(fitted(text, HELP_FONT, room), (indent, y), HELP_FONT, VALUE))
    return end


def _columns(lines: Sequence[HelpLine]) -> tuple[Sequence[HelpLine], Sequence[HelpLine]]:
    """Break the lines before the last heading."""
    headings = [index for index, (keys, _) in enumerate(lines) if not keys]
    cut = headings[-1] if headings else len(lines)
    return lines[:cut], lines[cut:]


def _even(length: int) -> int:
    return length + length % 2
