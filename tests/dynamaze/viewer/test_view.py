"""View of one environment: the ends of its color scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dynamaze.viewer.environment import Camera, make_env
from dynamaze.viewer.view import View, fitting_range


@pytest.mark.parametrize(
    ("low", "high", "before", "expected"),
    [
        (0.49, 1.0, None, (0.25, 1.0)),
        (0.2, 1.0, None, (0.0, 1.0)),
        (0.156, 0.171, None, (0.15, 0.2)),
        (29.0, 36.0, None, (25.0, 37.5)),
        (-14.0, -1.0, None, (-15.0, 0.0)),
        (-0.4, 2.5, None, (-0.75, 3.0)),
        (0.5, 0.5, None, (0.5, 0.625)),
        (-0.5, -0.5, None, (-0.5, -0.375)),
        (0.1, 0.5, (0.0, 1.0), (0.0, 1.0)),  # half of the scale would do: it stays
        (0.1, 0.3, (0.0, 1.0), (0.075, 0.3)),
        (0.1, 1.1, (0.0, 1.0), (0.0, 1.5)),
        (-0.1, 0.9, (0.0, 1.0), (-0.25, 1.0)),
        (0.0, 0.0, None, None),
        (0.0, 0.0, (0.0, 1.0), (0.0, 1.0)),
        (math.nan, math.nan, (0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_fitting_range_values(low: float, high: float, before: Any, expected: Any) -> None:
    found = fitting_range(low, high, before)
    assert found == (None if expected is None else pytest.approx(expected))


class Values:
    """Overlay source of state values."""

    def __init__(self) -> None:
        self.values = np.zeros(54)

    def unavailable(self, name: str) -> str:
        return "" if name == "values" else "only values"

    def arrays(self, names: Any) -> dict[str, Any]:
        return {"values": self.values} if "values" in names else {}


@pytest.mark.parametrize("given", [None, (-1.0, 3.0)])
def test_view_color_scale_stands_still(given: Any) -> None:
    env = make_env("DynaMaze-v0")
    env.reset(seed=0)
    maze: Any = env.unwrapped
    maze.set_overlay(value_range=given)
    source = Values()
    view = View(env, Camera(env, (90, 60)), source)
    seen = []
    for largest in (0.02, 0.9, 0.7, 0.3):
        source.values = np.linspace(0.0, largest, 54)
        view.update_overlays(["values"])
        seen.append(view.value_range)
    expected = [given] * 4 if given else [(0.0, 0.02), (0.0, 1.0), (0.0, 1.0), (0.0, 0.3)]
    np.testing.assert_allclose(np.array(seen), expected, rtol=1e-9)
    before = maze.overlays.values
    source.values = np.ones(54)
    view.update_overlays(["values"], still=["values"])
    assert maze.overlays.values is before
    env.close()
