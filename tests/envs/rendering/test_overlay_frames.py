"""Overlays in frames: each says what it should, and nothing else changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamaze.envs.rendering import OVERLAYS, FramePainter, Overlays, Scene
from dynamaze.envs.rendering import colors as colormap_module
from dynamaze.envs.rendering.canvas import Canvas
from dynamaze.envs.rendering.layers import ALL_LAYERS, MOVING_LAYERS, STILL_LAYERS
from dynamaze.envs.rendering.scene import Cell, Frame
from dynamaze.envs.rendering.tiles import paint_ground

SHAPE = (3, 4)
SIZE = 32
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))

PAINT_ALONE = """
import hashlib, sys
import numpy as np
from dynamaze.envs.rendering import FramePainter, Overlays, Scene
walls = np.zeros((3, 4), dtype=bool)
walls[1, 1] = True
rng = np.random.default_rng(0)
overlays = Overlays().replace(
    (3, 4), values=rng.random(12), q=rng.random((12, 4)), policy=np.full((12, 4), 0.25),
    visits=rng.integers(0, 99, 12), belief=rng.random((3, 4)), planned=[[3, 2], [7, 0]],
    tree=rng.integers(0, 99, 12),
)
frame = FramePainter(3, 4).paint(
    Scene(walls, ((0, 0),), ((0, 3),), (2, 2), overlays=overlays, position=(2.3, 2.6),
          path=((0.2, 0.1), (1.0, 0.4), (2.3, 2.6)), heading=(1.0, 1.0))
)
print(hashlib.sha256(frame.tobytes()).hexdigest())
if __name__ == "__main__":
    assert "pygame" not in sys.modules, "painting loads pygame"
    assert not {"PIL", "matplotlib", "imageio_ffmpeg"} & set(sys.modules)
"""


def scene(**arrays: Any) -> Scene:
    walls = np.zeros(SHAPE, dtype=np.bool_)
    walls[1, 1] = True
    overlays = Overlays().replace(SHAPE, **arrays)
    return Scene(walls, starts=((0, 0),), goals=((0, 3),), agent=None, overlays=overlays)


def paint(scene: Scene, size: int = SIZE) -> Frame:
    return FramePainter(*SHAPE, cell_size=size).paint(scene)


def pixels(frame: Frame, cell: Cell, size: int = SIZE) -> npt.NDArray[np.int64]:
    row, col = cell
    return frame[row * size : (row + 1) * size, col * size : (col + 1) * size].astype(np.int64)


def differing(one: Frame, other: Frame, size: int = SIZE) -> set[Cell]:
    differs = (one != other).any(axis=2).reshape(SHAPE[0], size, SHAPE[1], size)
    return {(int(r), int(c)) for r, c in np.argwhere(differs.any(axis=(1, 3)))}


def only(cell: Cell, value: Any, *last: int) -> Any:
    """An array that is NaN but in one cell."""
    array = np.full((*SHAPE, *last), np.nan)
    array[cell] = value
    return array


def half(side: int) -> tuple[slice, slice]:
    """The half of a cell at the side of an action."""
    low, high, whole = slice(0, SIZE // 2), slice(SIZE // 2, SIZE), slice(0, SIZE)
    return ((low, whole), (whole, high), (high, whole), (whole, low))[side]


def changed_part(cell: Cell, side: int, **arrays: Any) -> float:
    """What share of all that an overlay changes in a cell lies in one half."""
    change = abs(pixels(paint(scene(**arrays)), cell) - pixels(paint(scene()), cell)).sum(axis=2)
    return float(change[half(side)].sum() / change.sum())


# -- nothing ---------------------------------------------------------------------------------------


def test_pixels_are_the_same_with_and_without_pygame() -> None:
    alone = subprocess.run(
        [sys.executable, "-c", PAINT_ALONE], capture_output=True, text=True, check=True
    )
    pytest.importorskip("pygame")
    names: dict[str, Any] = {"__name__": "here"}
    exec(PAINT_ALONE, names)
    assert alone.stdout.strip() == hashlib.sha256(names["frame"].tobytes()).hexdigest()


def test_both_orders_of_layers_give_the_same_picture_where_there_are_no_overlays() -> None:
    full = scene()._replace(agent=(2, 2), trail=((0, 0), (0, 3), (2, 1)), changed=scene().walls)
    frames = []
    for layers in (ALL_LAYERS, STILL_LAYERS + MOVING_LAYERS):
        frame = paint_ground(full.walls, SIZE)
        cells = frame.reshape(SHAPE[0], SIZE, SHAPE[1], SIZE, 3).swapaxes(1, 2)
        for layer in layers:
            layer(Canvas(frame, cells, SIZE), full)
        frames.append(frame)
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], paint(full))


NOTHING: dict[str, Any] = {
    "values": np.full(SHAPE, np.nan),
    "q": np.full((*SHAPE, 4), np.nan),
    "policy": np.full((*SHAPE, 4), np.nan),
    "visits": np.zeros(SHAPE),
    "tree": np.full(SHAPE, np.nan),
    "planned": [],
}


@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("size", [1, 5, 32])
def test_nan_zero_counts_and_no_updates_draw_nothing(name: str, size: int) -> None:
    plain = paint(scene(), size)
    np.testing.assert_array_equal(paint(scene(**{name: NOTHING[name]}), size), plain)


def test_what_is_hidden_is_not_drawn() -> None:
    full = scene(**everything())._replace(trail=((2, 2),), changed=np.ones(SHAPE, np.bool_))
    hidden = full._replace(overlays=full.overlays.only([]))
    np.testing.assert_array_equal(paint(hidden), paint(scene()))
    for name in OVERLAYS:
        alone = full._replace(overlays=full.overlays.only([name]))
        assert differing(paint(alone), paint(scene())), name


def everything() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "values": rng.random(SHAPE),
        "q": rng.random((*SHAPE, 4)),
        "policy": np.full((*SHAPE, 4), 0.25),
        "visits": rng.integers(1, 100, SHAPE),
        "belief": rng.random(SHAPE),
        "planned": [[2, 1], [9, 0]],
        "tree": rng.integers(1, 100, SHAPE),
    }


@pytest.mark.parametrize("name", ["values", "q", "policy", "visits", "tree", "planned"])
@pytest.mark.parametrize("size", [1, 4, 32])
def test_walls_stay_as_they_are_and_floors_do_not(name: str, size: int) -> None:
    arrays = everything()
    arrays["planned"] = [[cell, 0] for cell in range(12)]
    drawn, plain = paint(scene(**{name: arrays[name]}), size), paint(scene(), size)
    assert (1, 1) not in differing(drawn, plain, size)
    assert differing(drawn, plain, size) >= {(0, 1), (1, 0), (2, 3)}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 13, 64])
def test_every_cell_size_can_be_painted(size: int) -> None:
    full = scene(**everything())._replace(
        agent=(2, 2), position=(2.1, 2.9), path=((0.0, 0.0), (3.0, 4.0)), changed=scene().walls
    )
    frame = paint(full, size)
    assert frame.shape == (3 * size, 4 * size, 3)
    covered = {(0, 3)} if size < 6 else set()  # by the goal, a plain square there
    assert len(differing(frame, paint(scene(), size), size) | covered) == 12


def test_the_agent_and_the_goal_are_seen_over_all_of_them() -> None:
    full = scene(**everything())
    away, there = paint(full), paint(full._replace(agent=(2, 2)))
    contrast = abs(pixels(there, (2, 2)) - pixels(away, (2, 2))).max(axis=2)
    assert (contrast > 60).mean() > 0.2
    alike = (pixels(away, (0, 3)) == pixels(paint(scene()), (0, 3))).all(axis=2)
    assert alike.mean() > 0.3, "the star"


def test_a_scene_with_the_overlays_of_another_maze_is_refused() -> None:
    other = Overlays().replace((4, 3), values=np.zeros(12))
    with pytest.raises(
        ValueError, match=r"values: array for a maze of \(4, 3\); expected \(3, 4\)"
    ):
        paint(scene()._replace(overlays=other))


def test_painting_with_overlays_leaves_no_trace_in_later_frames() -> None:
    painter = FramePainter(*SHAPE)
    plain = painter.paint(scene())
    painter.paint(scene(**everything()))
    np.testing.assert_array_equal(painter.paint(scene()), plain)


# -- values ----------------------------------------------------------------------------------------


def test_the_colors_of_the_scale_rise_in_lightness_evenly() -> None:
    shades = colormap_module.colors(np.linspace(0, 1, 256)).astype(np.float64) / 255
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ (0.2126, 0.7152, 0.0722)) - 16
    steps = np.diff(lightness)
    assert steps.min() >= 0
    assert np.add.reduceat(steps, range(0, 255, 5)).min() > 0
    assert steps.max() < 3 * steps.mean()


def test_a_cell_is_brighter_the_larger_its_value() -> None:
    frame = paint(scene(values=np.arange(12.0)))
    cells = [(2, 0), (2, 1), (2, 2), (2, 3)]
    brightness = [pixels(frame, cell)[8:24, 8:24].sum() for cell in cells]
    assert brightness == sorted(set(brightness))


def test_nan_leaves_a_cell_untouched() -> None:
    drawn = paint(scene(values=only((2, 2), 1.0)))
    assert differing(drawn, paint(scene())) == {(2, 2)}


def middle_color(values: Any, cell: Cell = (2, 2), **more: Any) -> tuple[int, ...]:
    return tuple(pixels(paint(scene(values=values, **more)), cell)[16, 16])


@pytest.mark.parametrize("constant", [0.0, -7.5, 1e308, 5e-324])
def test_equal_values_are_in_the_middle_of_the_scale(constant: float) -> None:
    expected = tuple(colormap_module.colors(np.array(0.5)))
    assert middle_color(np.full(12, constant)) == expected


def test_huge_and_tiny_differences_use_the_whole_scale() -> None:
    for low, high in ((-1.7e308, 1.7e308), (0.0, 1e-300)):
        values = np.full(SHAPE, low)
        values[2, 2] = high
        assert middle_color(values) == tuple(colormap_module.colors(np.array(1.0)))
        assert middle_color(values, (2, 1)) == tuple(colormap_module.colors(np.array(0.0)))


def test_the_smallest_difference_there_is_divides_by_nothing() -> None:
    values = np.zeros(SHAPE)
    values[2, 2] = 5e-324
    assert middle_color(values) == tuple(colormap_module.colors(np.array(0.5)))


def test_a_value_range_fixes_the_scale_and_cuts_off_what_is_beyond() -> None:
    fixed: dict[str, Any] = {"value_range": (0.0, 10.0)}
    color = {value: middle_color(only((2, 2), value), **fixed) for value in (-5.0, 0.0, 5.0, 99.0)}
    assert color[-5.0] == color[0.0] == tuple(colormap_module.colors(np.array(0.0)))
    assert color[5.0] == tuple(colormap_module.colors(np.array(0.5)))
    assert color[99.0] == tuple(colormap_module.colors(np.array(1.0)))


def test_the_value_of_a_wall_does_not_move_the_scale() -> None:
    values = np.arange(12.0).reshape(SHAPE)
    other = values.copy()
    other[1, 1] = 1e6
    np.testing.assert_array_equal(paint(scene(values=values)), paint(scene(values=other)))


@settings(max_examples=25)
@given(hnp.arrays(np.float64, SHAPE, elements=st.floats(allow_infinity=False)))
def test_any_values_can_be_painted(values: npt.NDArray[np.float64]) -> None:
    paint(scene(values=values, q=np.repeat(values[..., np.newaxis], 4, axis=2)))


# -- action values, policy, planning ---------------------------------------------------------------


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("hub", [False, True])
def test_an_action_value_colors_the_triangle_at_its_side(action: int, hub: bool) -> None:
    q = only((2, 2), np.zeros(4), 4)
    q[2, 2, action] = 1.0
    values = {"values": np.zeros(SHAPE)} if hub else {}
    cell = pixels(paint(scene(q=q, **values)), (2, 2))
    down, right = STEPS[action]
    at = cell[16 + 10 * down, 16 + 10 * right]
    others = [cell[16 + 10 * d, 16 + 10 * r] for d, r in STEPS if (d, r) != (down, right)]
    assert tuple(at) == tuple(colormap_module.colors(np.array(1.0)))
    assert all(tuple(o) == tuple(colormap_module.colors(np.array(0.0))) for o in others)


@pytest.mark.parametrize("size", [1, 5])
def test_a_small_cell_has_the_color_of_its_best_action(size: int) -> None:
    q = only((2, 2), [0.0, 1.0, np.nan, 0.5], 4)
    cell = pixels(paint(scene(q=q), size), (2, 2), size)
    assert (cell == colormap_module.colors(np.array(1.0))).all()


def test_a_single_nan_leaves_its_triangle_out() -> None:
    q = only((2, 2), [np.nan, 0.0, 1.0, 0.5], 4)
    cell, plain = pixels(paint(scene(q=q)), (2, 2)), pixels(paint(scene()), (2, 2))
    np.testing.assert_array_equal(cell[2:10, 14:18], plain[2:10, 14:18])
    assert (cell[22:30, 14:18] != plain[22:30, 14:18]).any(axis=2).all()


def test_values_and_action_values_share_one_scale() -> None:
    values, q = only((2, 2), 1.0), only((2, 2), [0.0, 0.0, 0.0, 1.0], 4)
    cell = pixels(paint(scene(values=values, q=q)), (2, 2))
    assert tuple(cell[16, 16]) == tuple(cell[16, 5]) == (253, 231, 37)


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("size", [5, 32])
def test_an_arrow_points_in_the_direction_of_its_action(action: int, size: int) -> None:
    policy = np.zeros((*SHAPE, 4))
    policy[2, 2, action] = 1.0
    drawn, plain = paint(scene(policy=policy), size), paint(scene(), size)
    change = abs(pixels(drawn, (2, 2), size) - pixels(plain, (2, 2), size)).sum(axis=2)
    center = np.array([np.average(axis, weights=change) for axis in np.indices((size, size))])
    down, right = STEPS[action]
    offset = center - (size - 1) / 2
    assert offset @ (down, right) > 0.1 * size
    assert abs(offset @ (right, down)) < 0.05 * size
    assert differing(drawn, plain, size) == {(2, 2)}


def test_arrows_are_longer_for_the_more_probable() -> None:
    reach = []
    for probability in (0.1, 0.4, 0.7, 1.0):
        policy = np.zeros((*SHAPE, 4))
        policy[2, 2] = (probability, 0, 1 - probability, 0)
        cell, plain = pixels(paint(scene(policy=policy)), (2, 2)), pixels(paint(scene()), (2, 2))
        reach.append(16 - np.nonzero((cell != plain).any(axis=(1, 2)))[0][0])
    assert reach == sorted(set(reach))


def test_improbable_actions_and_goals_get_no_arrows() -> None:
    policy = np.full((*SHAPE, 4), (0.02, 0.94, 0.02, 0.02))
    drawn, plain = paint(scene(policy=policy)), paint(scene())
    assert (0, 3) not in differing(drawn, plain)
    assert changed_part((2, 2), 1, policy=policy) > 0.95


@pytest.mark.parametrize("action", range(4))
def test_an_update_is_marked_at_the_side_of_its_action(action: int) -> None:
    assert changed_part((2, 2), action, planned=[[10, action]]) > 0.95


def strength_of(planned: Any, state: int) -> float:
    cell = (state // 4, state % 4)
    return float(
        abs(pixels(paint(scene(planned=planned)), cell) - pixels(paint(scene()), cell)).sum()
    )


def test_the_older_an_update_the_paler_it_is() -> None:
    planned = [[8, 0]] * 20 + [[9, 0]] * 20 + [[10, 0]] * 20
    strengths = [strength_of(planned, state) for state in (8, 9, 10)]
    assert strengths == sorted(set(strengths))
    assert strength_of([[8, 0]] + [[9, 0]] * 63, 8) > 0
    assert strength_of([[8, 0]] + [[9, 0]] * 64, 8) == 0


def test_of_an_update_that_comes_again_the_newest_counts() -> None:
    again = [[8, 0], *[[9, 0]] * 30, [8, 0]]
    assert strength_of(again, 8) == strength_of([[8, 0]], 8)


# -- counts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["visits", "tree"])
@pytest.mark.parametrize("size", [4, 32])
def test_more_visits_are_drawn_stronger(name: str, size: int) -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (1, 10, 100, 1000)
    drawn, plain = paint(scene(**{name: counts}), size), paint(scene(), size)
    cells = [(2, 0), (2, 1), (2, 2), (2, 3)]
    change = [abs(pixels(drawn, c, size) - pixels(plain, c, size)).sum() for c in cells]
    assert change == sorted(set(change))
    assert differing(drawn, plain, size) == set(cells)


def test_the_bar_of_the_visits_is_on_a_log_scale() -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (1, 3, 15, 255)  # log2(1 + n) is 1, 2, 4, 8
    frame = paint(scene(visits=counts, values=np.zeros(SHAPE)))
    white = [(pixels(frame, (2, col))[27] > 200).all(axis=1).sum() for col in range(4)]
    np.testing.assert_allclose(np.array(white) / white[3], (1 / 8, 1 / 4, 1 / 2, 1), atol=0.08)


def test_visits_are_still_read_where_values_color_the_floor() -> None:
    values = np.zeros(SHAPE)
    drawn = paint(scene(values=values, visits=only((2, 2), 1.0)))
    assert differing(drawn, paint(scene(values=values))) == {(2, 2)}


# -- belief ----------------------------------------------------------------------------------------


def belief_cell(cell: Cell, probability: float) -> npt.NDArray[np.int64]:
    belief = scene().walls.astype(np.float64)
    belief[cell] = probability
    return pixels(paint(scene(belief=belief)), cell)


@pytest.mark.parametrize("cell", [(2, 2), (1, 1)])
def test_right_wrong_and_unsure_beliefs_are_told_apart(cell: Cell) -> None:
    truth = float(scene().walls[cell])
    plain = pixels(paint(scene()), cell)
    right, wrong, unsure, unknown = (belief_cell(cell, p) for p in (truth, 1 - truth, 0.5, np.nan))
    np.testing.assert_array_equal(unsure, unknown)
    change = [abs(one - plain).sum() for one in (right, unsure, wrong)]
    assert 0 < change[0] < change[1] < change[2]
    for one, other in ((right, wrong), (wrong, unsure), (unsure, right)):
        assert abs(one - other).mean() > 10
    assert (wrong[1, 16] == (216, 27, 120)).all(), "the frame of an alarm"


def test_the_wall_that_is_only_believed_in_is_striped_and_the_hole_in_a_wall_is_not() -> None:
    ghost, hole = belief_cell((2, 2), 1.0), belief_cell((1, 1), 0.0)
    assert np.ptp(ghost[5, 6:26], axis=0).max() > 50
    assert np.ptp(hole[5, 6:26], axis=0).max() < 10
    assert hole[16, 16].sum() > pixels(paint(scene()), (1, 1))[16, 16].sum() + 150


def test_a_belief_of_true_and_false_is_one_of_1_and_0() -> None:
    walls = scene().walls
    one, other = (paint(scene(belief=b)) for b in (~walls, 1.0 - walls))
    np.testing.assert_array_equal(one, other)


def test_the_more_certain_an_error_the_stronger_it_is_shown() -> None:
    plain = pixels(paint(scene()), (2, 2))
    ring = [abs(belief_cell((2, 2), p) - plain)[1, 16].sum() for p in (0.6, 0.8, 1.0)]
    magenta = [belief_cell((2, 2), p)[1, 16] @ (1, -1, 0) for p in (0.6, 0.8, 1.0)]
    assert all(change > 0 for change in ring)
    assert magenta == sorted(set(magenta))


# -- what the scene itself brings ------------------------------------------------------------------


def test_an_opened_wall_is_seen_over_the_colors_of_values() -> None:
    changed = np.zeros(SHAPE, dtype=np.bool_)
    changed[2, 2] = True
    values = scene(values=np.full(SHAPE, 0.5))
    one, other = (pixels(paint(s), (2, 2)) for s in (values, values._replace(changed=changed)))
    assert (abs(one - other).max(axis=2) > 60).mean() > 0.1
