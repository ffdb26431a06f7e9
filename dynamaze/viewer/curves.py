"""Curves of several runs over their steps, drawn in NumPy without a display."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.palette import Color
from dynamaze.envs.rendering.display_list import Line
from dynamaze.envs.rendering.frame import Canvas, draw
from dynamaze.envs.rendering.scene import Frame

from .layout import EDGE, LABEL, NOTE_FONT, STRIP, TextSurface, format_value, text_width

MOST_POINTS = 4096
"""Points of a curve; with more every second one is dropped."""

LEAST_SPAN = 100  # steps of the x axis
HEIGHT = 118  # of the chart, in pixels
TOP, BOTTOM, LEFT, RIGHT = 26, 24, 52, 18  # margins around the plotted area
LINE_WIDTH = 2.4
DASH = 4  # pixels of a dash, and of the gap to the next
MOST_MARKS = 40  # changes that are marked; more would hide the curves
ROOM = 1.15  # height of the axis over the largest value, before it is rounded up


class Curve:
    """Value after each step of a run, from 0 on, thinned to at most `MOST_POINTS` points.

    Attributes:
        last: latest value.
        num_steps: number of values.
    """

    def __init__(self) -> None:
        self.last, self.num_steps = 0.0, 0
        self._values, self._stride = [0.0], 1

    def add(self, value: float) -> None:
        """Add the value after the next step."""
        self.last, self.num_steps = value, self.num_steps + 1
        if self.num_steps % self._stride == 0:
            self._values.append(value)
        if len(self._values) > MOST_POINTS:
            self._values, self._stride = self._values[::2], 2 * self._stride

    def points(self) -> tuple[FloatArray, FloatArray]:
        """Return (n,) steps and (n,) values, the latest included."""
        steps = self._stride * np.arange(len(self._values), dtype=np.float64)
        return np.append(steps, self.num_steps), np.append(self._values, self.last)


class ColoredCurve(NamedTuple):
    """Curve in a color."""

    curve: Curve
    color: Color


class Axes(NamedTuple):
    """Ranges of the plotted values, both from 0."""

    span: int  # steps
    top: float


def axes_of(curves: Sequence[Curve], span: int | None = None, top: float | None = None) -> Axes:
    """Return axes with room for curves.

    Args:
        curves: the curves.
        span: last step; None for a rounded one that grows with the curves.
        top: largest value; None for a rounded one that grows with the curves.
    """
    longest = max(curve.num_steps for curve in curves)
    largest = max((curve.last for curve in curves if not math.isnan(curve.last)), default=0.0)
    return Axes(
        int(rounded_up(max(longest, LEAST_SPAN))) if span is None else span,
        (rounded_up(ROOM * largest) if largest > 0 else 1.0) if top is None else top,
    )


def rounded_up(value: float) -> float:
    """Return the least of 1, 2, 3, 5 and 8 times a power of ten that is not below a number."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(times * power for times in (1, 2, 3, 5, 8, 10) if times * power >= value)


def paint_curves(
    curves: Sequence[ColoredCurve],
    width: int,
    axes: Axes,
    *,
    title: str,
    marks: Sequence[int] = (),
    height: int = HEIGHT,
) -> Frame:
    """Return a chart of curves, (height, width, 3).

    Args:
        curves: the curves; the first is drawn on top.
        width: of the chart, in pixels.
        axes: ranges of the axes.
        title: above the plotted area.
        marks: steps marked by a dashed line, such as changes of the maze.
        height: of the chart, in pixels.
    """
    box = (TOP, LEFT, height - BOTTOM, width - RIGHT)
    frame = _paint_axes(width, height, axes, title)
    canvas = Canvas(frame, frame[:, :, np.newaxis, np.newaxis], 1)
    for step in marks[-MOST_MARKS:]:
        _draw_mark(frame, box, axes, step)
    for curve, color in reversed(curves):
        points = _pixels(curve, box, axes)
        draw(canvas, Line("curve", points, color, LINE_WIDTH, (1.0, 1.0)))
        draw(canvas, Line("curve", points[-1:], color, 3 * LINE_WIDTH, (1.0, 1.0)))
    return frame


def _paint_axes(width: int, height: int, axes: Axes, title: str) -> Frame:
    """Return the chart without curves."""
    surface = TextSurface.plain(width, height, STRIP)
    surface.write(title, (LEFT, 5), NOTE_FONT, LABEL)
    low, left, right = height - BOTTOM, LEFT, width - RIGHT
    for share in (0.0, 0.5, 1.0):
        y = round(low + share * (TOP - low))
        surface.fill((left, y, right - left, 1), EDGE)
        label = format_value(share * axes.top)
        surface.write_right(label, (left - 8, y - 8), NOTE_FONT, LABEL)
        step = f"{round(share * axes.span):,}"
        x, wide = round(left + share * (right - left)), text_width(step, NOTE_FONT)
        x = min(x - wide // 2, width - wide - 4)
        surface.write(step, (x, low + 4), NOTE_FONT, LABEL)
    return surface.frame().copy()


def _draw_mark(frame: Frame, box: tuple[int, int, int, int], axes: Axes, step: int) -> None:
    """Draw a dashed vertical line at a step."""
    top, left, low, right = box
    x = round(left + (right - left) * min(step / axes.span, 1.0))
    for y in range(top, low, 2 * DASH):
        frame[y : min(y + DASH, low), x] = LABEL


def _pixels(curve: Curve, box: tuple[int, int, int, int], axes: Axes) -> list[tuple[float, float]]:
    """Return (row, col) points of a curve, at most one for each column of pixels."""
    top, left, low, right = box
    steps, values = curve.points()
    known = ~np.isnan(values)
    end = min(curve.num_steps, axes.span)
    count = max(2, 1 + round((right - left) * end / axes.span))
    at = np.linspace(0, end, count)
    heights = np.interp(at, steps[known], values[known]) / axes.top
    rows = low - (low - top) * np.minimum(heights, 1.0)
    cols = left + (right - left) * at / axes.span
    return list(zip(rows.tolist(), cols.tolist(), strict=True))
