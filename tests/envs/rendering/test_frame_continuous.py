"""Frames of continuous mazes: positions, paths and headings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamaze.envs.rendering import FramePainter, Scene
from dynamaze.envs.rendering.scene import Frame

ROWS, COLS, SIZE = 3, 4, 32


def scene(**fields: Any) -> Scene:
    walls = np.zeros((ROWS, COLS), dtype=np.bool_)
    return Scene(walls, starts=(), goals=(), agent=(1, 1))._replace(**fields)


def paint(size: int = SIZE, **fields: Any) -> Frame:
    return FramePainter(ROWS, COLS, cell_size=size).paint(scene(**fields))


def touched(frame: Frame) -> npt.NDArray[np.bool_]:
    return np.asarray((frame != paint(agent=None)).any(axis=2))


def box(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """First and last row and column: ((top, left), (bottom, right))."""
    places = np.argwhere(mask)
    return np.stack([places.min(axis=0), places.max(axis=0)])


def test_centred_position_equals_cell() -> None:
    for size in (1, 4, 7, 32):
        np.testing.assert_array_equal(paint(size, position=(1.5, 1.5)), paint(size))


@settings(max_examples=50)
@given(row=st.floats(0.5, 2.5), col=st.floats(0.5, 3.5))
def test_agent_centred_on_position(row: float, col: float) -> None:
    here = touched(paint(position=(row, col), agent=(int(row), int(col))))
    moved = box(here) - box(touched(paint()))
    wanted = np.array([32 * row - 48, 32 * col - 48])
    # To the nearest pixel, and one more where a pixel of the rim is as the floor.
    assert abs(moved - wanted).max() <= 1.5


@pytest.mark.parametrize("position", [(0.0, 0.0), (3.0, 4.0), (0.0, 2.0), (1.5, 4.0)])
def test_agent_clipped_at_border(position: tuple[float, float]) -> None:
    part, whole = touched(paint(position=position)).sum(), touched(paint()).sum()
    corner = 4 if position in [(0.0, 0.0), (3.0, 4.0)] else 2
    assert part == pytest.approx(whole / corner, rel=0.2)


def test_eyes_follow_heading() -> None:
    faces = [
        paint(position=(1.5, 1.5), heading=heading).tobytes()
        for heading in ((0.0, 0.0), (0.0, 9.0), (1e-9, 0.0), (-3.0, -3.0))
    ]
    assert len(set(faces)) == 4
    assert faces[0] == paint().tobytes()
    longer = paint(position=(1.5, 1.5), heading=(0.0, 0.1))
    assert longer.tobytes() == faces[1], "only the direction counts"


def test_path_line_fades_with_age() -> None:
    plain, drawn = paint(agent=None), paint(agent=None, path=((2.5, 0.5), (2.5, 3.5)))
    change = abs(drawn.astype(int) - plain)[80].sum(axis=1)  # along the middle of row 2
    assert (change[16:112] > 0).all()
    assert change[20] < change[60] < change[108]
    assert not (drawn != plain)[:70].any()
    assert not (drawn != plain)[90:].any()


def test_path_replaces_and_hides_dots() -> None:
    trail, path = ((2, 0), (2, 1)), ((0.5, 2.5), (0.5, 3.5))
    both = paint(trail=trail, path=path, agent=None)
    np.testing.assert_array_equal(both, paint(path=path, agent=None))
    hidden = scene().overlays.only([])
    np.testing.assert_array_equal(paint(path=path, overlays=hidden), paint())


@pytest.mark.parametrize(
    "path",
    [((1.0, 1.0),), ((1.0, 1.0),) * 3, ((0.0, 0.0), (3.0, 4.0)), ((0.5, 0.5), (0.5, 0.5001))],
)
def test_paint_any_path(path: tuple[tuple[float, float], ...]) -> None:
    for size in (1, 5, 32):
        drawn, plain = (paint(size, agent=None, path=p) for p in (path, ()))
        assert (drawn != plain).any()


def test_long_path_shows_newest_points() -> None:
    path = tuple((0.5, 0.5 + 3 * i / 999) for i in range(1000))
    np.testing.assert_array_equal(paint(path=path), paint(path=path[-64:]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"position": (3.1, 0.0)}, r"position: point \(3.1, 0.0\) is outside the 3x4 maze"),
        ({"position": (float("nan"), 0.0)}, r"position: point \(nan, 0.0\) is outside"),
        ({"path": ((0.0, -0.1),)}, r"path: point \(0.0, -0.1\) is outside the 3x4 maze"),
        ({"heading": (float("inf"), 0.0)}, r"heading: \(inf, 0.0\); expected two finite numbers"),
    ],
)
def test_paint_rejects_outside_points(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paint(**fields)
