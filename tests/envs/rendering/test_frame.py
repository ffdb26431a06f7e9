"""Frames of mazes."""

from __future__ import annotations

import copy
import hashlib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamaze.common.arrays import BoolArray
from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import FramePainter, Scene
from dynamaze.envs.rendering.scene import Frame

MAKE_GOLDEN = Path(__file__).with_name("make_golden.py")

PAINT_ALONE = f"""
import hashlib, runpy, sys
text = runpy.run_path({str(MAKE_GOLDEN)!r})["golden_text"]()
assert "pygame" not in sys.modules, "painting loads pygame"
print(hashlib.sha256(text.encode()).hexdigest())
"""


def blocking_maze(**fields: Any) -> Scene:
    walls = np.zeros((6, 9), dtype=np.bool_)
    walls[3, 1:] = True
    scene = Scene(walls, starts=((5, 3),), goals=((0, 8),), agent=(5, 3))
    return scene._replace(**fields)


def cells_mask(*cells: Cell) -> BoolArray:
    mask = np.zeros((6, 9), dtype=np.bool_)
    for cell in cells:
        mask[cell] = True
    return mask


def cell_pixels(frame: Frame, cell: Cell, size: int = 32) -> npt.NDArray[np.int64]:
    row, col = cell
    return frame[row * size : (row + 1) * size, col * size : (col + 1) * size].astype(np.int64)


def cells_that_differ(one: Frame, other: Frame, size: int = 32) -> set[Cell]:
    rows, cols = one.shape[0] // size, one.shape[1] // size
    pixels = (one != other).any(axis=2).reshape(rows, size, cols, size)
    return {(int(row), int(col)) for row, col in np.argwhere(pixels.any(axis=(1, 3)))}


def paint(scene: Scene) -> Frame:
    return FramePainter(6, 9).paint(scene)


def test_frame_equals_golden_pixels() -> None:
    golden = runpy.run_path(str(MAKE_GOLDEN))
    lines = golden["golden_text"]().splitlines()
    expected = golden["GOLDEN"].read_text(encoding="ascii").splitlines()
    assert len(lines) == len(expected) == 24
    for number, (line, wanted) in enumerate(zip(lines, expected, strict=True)):
        assert line == wanted, f"row {number} of the pixels"


def test_paint_equal_without_pygame() -> None:
    alone = subprocess.run(
        [sys.executable, "-c", PAINT_ALONE], capture_output=True, text=True, check=True
    )
    pytest.importorskip("pygame")
    here = runpy.run_path(str(MAKE_GOLDEN))["golden_text"]()
    assert alone.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


def test_frame_shape_and_dtype() -> None:
    frame = paint(blocking_maze())
    assert frame.shape == (192, 288, 3)
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous


@pytest.mark.parametrize(
    ("rows", "cols", "size"),
    [(6, 9, 32), (32, 32, 32), (33, 4, 30), (500, 500, 2), (513, 1, 1), (3, 2000, 1)],
)
def test_cell_size_of_big_mazes(rows: int, cols: int, size: int) -> None:
    assert FramePainter(rows, cols).cell_size == size


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 13, 64])
def test_paint_any_cell_size(size: int) -> None:
    scene = blocking_maze(trail=((5, 4), (5, 3)), changed=cells_mask((3, 0), (3, 8)))
    frame = FramePainter(6, 9, cell_size=size).paint(scene)
    assert frame.shape == (6 * size, 9 * size, 3)
    empty = FramePainter(6, 9, cell_size=size).paint(Scene(scene.walls, (), (), None))
    shown = {(5, 3), (5, 4), (0, 8), (3, 0), (3, 8)}
    assert cells_that_differ(frame, empty, size) == shown


def test_paint_big_maze() -> None:
    walls = np.random.default_rng(0).random((300, 500)) < 0.4
    scene = Scene(walls, ((0, 0),), ((299, 499),), (150, 250), changed=walls)
    assert FramePainter(300, 500).paint(scene).shape == (600, 1000, 3)


def test_paint_returns_new_arrays() -> None:
    painter, scene = FramePainter(6, 9), blocking_maze()
    first = painter.paint(scene)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(painter.paint(scene), expected)


def test_paint_leaves_scene_unchanged() -> None:
    scene = blocking_maze(changed=cells_mask((3, 8)))
    walls, changed = scene.walls.copy(), scene.changed
    assert changed is not None
    paint(scene)
    np.testing.assert_array_equal(scene.walls, walls)
    np.testing.assert_array_equal(changed, cells_mask((3, 8)))


def test_paint_notices_walls_changed_in_place() -> None:
    painter, scene = FramePainter(6, 9), blocking_maze()
    painter.paint(scene)
    scene.walls[3, 8] = False
    np.testing.assert_array_equal(painter.paint(scene), paint(scene))


def test_painter_alternates_between_scenes() -> None:
    painter = FramePainter(6, 9)
    one = blocking_maze()
    scenes = [one, one._replace(walls=~one.walls), one._replace(goals=((0, 0),)), one]
    for scene in scenes * 2:
        np.testing.assert_array_equal(painter.paint(scene), paint(scene))


def test_walls_darker_than_floor() -> None:
    frame = paint(blocking_maze(agent=None))
    wall, floor = cell_pixels(frame, (3, 4)), cell_pixels(frame, (1, 4))
    assert wall.mean() < floor.mean() - 100
    assert wall.max() < floor.min()


free_cells = st.tuples(st.integers(0, 5), st.integers(0, 8))


@settings(max_examples=25)
@given(before=free_cells, after=free_cells)
def test_moving_agent_changes_two_cells(before: Cell, after: Cell) -> None:
    painter = FramePainter(6, 9)
    one, other = (painter.paint(blocking_maze(agent=cell)) for cell in (before, after))
    assert cells_that_differ(one, other) == ({before, after} if before != after else set())


@pytest.mark.parametrize("cell", [(3, 4), (0, 8), (5, 3), (1, 1)])
def test_agent_visible_everywhere(cell: Cell) -> None:
    away, there = paint(blocking_maze(agent=None)), paint(blocking_maze(agent=cell))
    contrast = abs(cell_pixels(there, cell) - cell_pixels(away, cell)).max(axis=2)
    assert (contrast > 60).mean() > 0.2


def test_eyes_follow_last_step() -> None:
    looks = [paint(blocking_maze(agent=(1, 1), trail=(last,))) for last in ((1, 0), (0, 1), (5, 5))]
    ahead = paint(blocking_maze(agent=(1, 1)))
    faces = [cell_pixels(frame, (1, 1)).tobytes() for frame in [*looks, ahead]]
    assert len(set(faces)) == 3, "to the right, down, and twice ahead"


def test_trail_fades_with_age() -> None:
    scene = blocking_maze(agent=None)
    trail = ((1, 1), (1, 2), (1, 3))
    plain, dotted = paint(scene), paint(scene._replace(trail=trail))
    strength = [abs(cell_pixels(dotted, c) - cell_pixels(plain, c)).max() for c in trail]
    assert 0 < strength[0] < strength[1] < strength[2]


def test_trail_shows_last_16_cells() -> None:
    scene = blocking_maze(agent=(5, 0))
    snake = [(row, col) for row in range(3) for col in range(9)]
    trail = tuple(snake[:20] + snake[18:20] * 5)
    shown = cells_that_differ(paint(scene), paint(scene._replace(trail=trail)))
    assert shown == set(snake[4:20])


def test_trail_skips_agent_cell() -> None:
    scene = blocking_maze(agent=(5, 0))
    trail = [(row, col) for row in range(2) for col in range(8)]
    shown = cells_that_differ(paint(scene), paint(scene._replace(trail=(*trail, (5, 0)))))
    assert shown == set(trail)


def test_changed_cells_marked() -> None:
    scene = blocking_maze()
    marked = paint(scene._replace(changed=cells_mask((3, 0), (3, 8))))
    assert cells_that_differ(paint(scene), marked) == {(3, 0), (3, 8)}
    appeared, opened = cell_pixels(marked, (3, 8)), cell_pixels(marked, (3, 0))
    assert abs(appeared - opened).mean() > 40


def test_change_mark_fades() -> None:
    scene = blocking_maze(changed=cells_mask((3, 8)))
    frames = [paint(scene._replace(changed_strength=s)) for s in (0.0, 0.3, 0.6, 1.0)]
    plain = paint(blocking_maze())
    strength = [abs(f.astype(np.int64) - plain).sum() for f in frames]
    assert strength[0] == 0
    assert strength == sorted(set(strength))


def test_start_and_goal_above_change_mark() -> None:
    marked = paint(blocking_maze(agent=None, changed=cells_mask((5, 3), (0, 8))))
    plain = paint(blocking_maze(agent=None))
    for cell in ((5, 3), (0, 8)):
        same = (cell_pixels(marked, cell) == cell_pixels(plain, cell)).all(axis=2)
        assert same[16, 16], "the middle of the start or goal"
        assert not same.all(), "the mark round it"


def test_painter_copies_without_cache() -> None:
    painter, scene = FramePainter(6, 9), blocking_maze()
    frame = painter.paint(scene)
    twin = copy.deepcopy(painter)
    held = {name: kept.__dict__ for name, kept in vars(twin).items() if hasattr(kept, "__dict__")}
    assert sorted(held) == ["_ground", "_static"]
    assert all(kept == {"_key": None, "_frame": None} for kept in held.values())
    np.testing.assert_array_equal(twin.paint(scene), frame)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"agent": (6, 0)}, r"agent: cell \(6, 0\) is outside the 6x9 maze"),
        ({"starts": ((0, -1),)}, r"starts: cell \(0, -1\) is outside"),
        ({"goals": ((0, 9),)}, r"goals: cell \(0, 9\) is outside"),
        ({"trail": ((-1, 0),)}, r"trail: cell \(-1, 0\) is outside"),
        ({"walls": np.zeros((9, 6), np.bool_)}, r"walls: bool array of shape \(9, 6\); expected"),
        ({"walls": np.zeros((6, 9), np.int8)}, r"walls: int8 array .* expected bool"),
        ({"changed": np.zeros((6, 8), np.bool_)}, r"changed: .*\(6, 8\); expected .*\(6, 9\)"),
        ({"changed_strength": 1.5}, r"changed_strength: 1.5; expected 0 to 1"),
        ({"changed_strength": float("nan")}, r"changed_strength: nan; expected 0 to 1"),
    ],
)
def test_rejects_invalid_scene(fields: dict[str, Any], message: str) -> None:
    painter = FramePainter(6, 9)
    painter.paint(blocking_maze())
    with pytest.raises(ValueError, match=message):
        painter.paint(blocking_maze(**fields))


def test_painter_rejects_nonpositive_sizes() -> None:
    with pytest.raises(ValueError, match="cell_size=0; expected a whole number of at least 1"):
        FramePainter(6, 9, cell_size=0)
    with pytest.raises(ValueError, match="rows=0; expected a whole number of at least 1"):
        FramePainter(0, 9)
