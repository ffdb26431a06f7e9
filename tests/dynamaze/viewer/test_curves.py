"""Curves over the steps of runs."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.viewer.curves import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    Axes,
    ColoredCurve,
    Curve,
    axes_of,
    paint_curves,
    rounded_up,
)

ORANGE, BLUE = (230, 159, 0), (86, 180, 233)


def curve_of(values: list[float]) -> Curve:
    curve = Curve()
    for value in values:
        curve.add(value)
    return curve


def test_curve_keeps_all_values_of_short_runs() -> None:
    steps, values = curve_of([0.5, 2.0, 2.0]).points()
    np.testing.assert_array_equal(steps, [0, 1, 2, 3, 3])
    np.testing.assert_array_equal(values, [0, 0.5, 2, 2, 2])


def test_curve_is_thinned() -> None:
    count = 5 * MOST_POINTS
    steps, values = curve_of([2.0 * step for step in range(1, count + 1)]).points()
    assert len(steps) <= MOST_POINTS + 2
    np.testing.assert_array_equal(values, 2 * steps)
    assert (steps[0], steps[-1]) == (0, count)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.07, 0.08), (1, 1), (1.01, 2), (99, 100), (301, 500), (9, 10)]
)
def test_rounded_up_values(value: float, rounded: float) -> None:
    assert rounded_up(value) == pytest.approx(rounded)


def test_axes_have_room_for_all_curves() -> None:
    axes = axes_of([curve_of([1.0] * 130), curve_of([float("nan")]), curve_of([7.0])])
    assert axes == (200, pytest.approx(10.0))
    assert axes_of([Curve()]) == (100, 1.0)
    assert axes_of([curve_of([3.0])], span=50, top=4.0) == (50, 4.0)


def test_paint_curves_draws_values_at_their_steps() -> None:
    first, second = curve_of([4.0] * 50), curve_of([8.0] * 100)
    frame = paint_curves(
        [ColoredCurve(first, ORANGE), ColoredCurve(second, BLUE)],
        400,
        Axes(100, 8.0),
        title="regret",
    )
    assert frame.shape == (HEIGHT, 400, 3)
    low, right = HEIGHT - BOTTOM, 400 - RIGHT
    at = LEFT + (right - LEFT) // 4
    for color, row in ((ORANGE, (low + TOP) // 2), (BLUE, TOP)):
        # Pixels between the line's discs are a little paler.
        rows = np.nonzero((np.abs(frame[:, at].astype(int) - color) <= 3).all(axis=1))[0]
        assert abs(rows.mean() - row) < 2
    # The first run has half of the steps.
    after = frame[:, LEFT + 3 * (right - LEFT) // 4]
    assert not (np.abs(after.astype(int) - ORANGE) <= 3).all(axis=1).any()


def test_paint_curves_marks_steps() -> None:
    plain, marked = (
        paint_curves([ColoredCurve(Curve(), BLUE)], 300, Axes(100, 1.0), title="", marks=marks)
        for marks in ([], [40])
    )
    cols = np.nonzero((plain != marked).any(axis=(0, 2)))[0]
    np.testing.assert_array_equal(cols, [round(LEFT + 0.4 * (300 - RIGHT - LEFT))])
