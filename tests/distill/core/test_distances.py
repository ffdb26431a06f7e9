"""Success rates by distance to the goal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.common.proportions import fraction_interval
from dynamaze.distill.core.distances import (
    distance_lines,
    range_ends,
    rate_texts,
    success_by_distance,
)


def test_success_by_distance_by_hand() -> None:
    # Maze 7 has cells 1, 2 and 11 steps away, maze 3 cells 1 and 61; the last cannot be reached.
    distances, mazes = [1, 2, 11, 1, 61, -1], [7, 7, 7, 3, 3, 3]
    near, middle, far = success_by_distance(
        distances, [True, False, True, True, False, True], mazes, gamma=0.5
    )
    assert [each.name for each in (near, middle, far)] == ["1-10", "11-30", "61-100"]
    first, second = 1 + 0.5 + 0.5**10, 1 + 0.5**60  # optimal returns of the mazes
    assert near.cells == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert near.weight == pytest.approx((1.5 / first + 1 / second) / 2)
    assert (near.success, near.mazes) == (pytest.approx((1 / 2 + 1) / 2), 2)
    assert (middle.cells, middle.success, middle.mazes) == (pytest.approx(1 / 6), 1.0, 1)
    assert (far.success, far.low, far.mazes) == (0.0, 0.0, 1)
    interval = fraction_interval([0.5, 1.0])
    assert (near.low, near.high) == (interval.low, interval.high)
    for name in ("cells", "weight"):
        assert sum(getattr(each, name) for each in (near, middle, far)) == pytest.approx(1.0)


def test_range_ends_grow_with_the_distance() -> None:
    assert range_ends(1) == range_ends(10) == [10]
    assert range_ends(11) == [10, 30]
    assert range_ends(2000) == [10, 30, 60, 100, 300, 600, 1000, 3000]


def test_lines_have_one_format() -> None:
    ranges = success_by_distance(np.arange(1, 41), np.arange(40) < 30, np.arange(40), gamma=1)
    rates = rate_texts(ranges, 0)
    head = ("steps to the goal", "share of cells", "weight in return", "success rate")
    lines = [
        ("1-10", "25.0%", "25.0%", "100% [72, 100]"),
        ("11-30", "50.0%", "50.0%", "100% [84, 100]"),
        ("31-60", "25.0%", "25.0%", "0% [0, 28]"),
    ]
    assert distance_lines(ranges, {"student": rates}) == [head, *lines]
    several = distance_lines(ranges, {"student": rates, "teacher": ["-"] * 3})
    assert several[:3] == [("", *head), ("student", *lines[0]), ("", *lines[1])]
    assert several[4:] == [
        ("teacher", *lines[0][:3], "-"),
        *(("", *each[:3], "-") for each in lines[1:]),
    ]


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_success_by_distance_of_extreme_discount(gamma: float) -> None:
    ranges = success_by_distance([1, 20], [True, True], [0, 1], gamma=gamma)
    assert [each.weight for each in ranges] == ([0.5, 0.0] if gamma == 0 else [0.5, 0.5])
    assert success_by_distance([-1], [False], [0], gamma=gamma) == ()


@pytest.mark.parametrize("wrong", [([1], [True], [0, 1]), ([[1]], [[True]], [[0]])])
def test_success_by_distance_refuses_shapes(wrong: Any) -> None:
    with pytest.raises(ValueError, match="expected one of each for each cell"):
        success_by_distance(*wrong, gamma=0.9)
    with pytest.raises(ValueError, match="gamma=2"):
        success_by_distance([1], [True], [0], gamma=2)
