"""Overlays in frames: each draws its own marks and nothing else."""

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

from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import OVERLAYS, FramePainter, Overlays, Scene
from dynamaze.envs.rendering.colors import GOAL_STAR, WRONG, map_colors
from dynamaze.envs.rendering.display_list import ALL_LAYERS, MOVING_LAYERS, STATIC_LAYERS
from dynamaze.envs.rendering.frame import Canvas, draw
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.tiles import paint_ground

from .scenes import SHAPE, everything

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
    """Return an array that is NaN except in one cell."""
    array = np.full((*SHAPE, *last), np.nan)
    array[cell] = value
    return array


def half(side: int) -> tuple[slice, slice]:
    """Return the half of a cell at the side of an action."""
    low, high, whole = slice(0, SIZE // 2), slice(SIZE // 2, SIZE), slice(0, SIZE)
    return ((low, whole), (whole, high), (high, whole), (whole, low))[side]


def changed_part(cell: Cell, side: int, **arrays: Any) -> float:
    """Return the fraction of an overlay's change of a cell that lies in one half."""
    change = abs(pixels(paint(scene(**arrays)), cell) - pixels(paint(scene()), cell)).sum(axis=2)
    return float(change[half(side)].sum() / change.sum())


# -- nothing ---------------------------------------------------------------------------------------


def test_paint_equal_without_pygame() -> None:
    alone = subprocess.run(
        [sys.executable, "-c", PAINT_ALONE], capture_output=True, text=True, check=True
    )
    pytest.importorskip("pygame")
    names: dict[str, Any] = {"__name__": "here"}
    exec(PAINT_ALONE, names)
    assert alone.stdout.strip() == hashlib.sha256(names["frame"].tobytes()).hexdigest()


def test_layer_orders_agree_without_overlays() -> None:
    full = scene()._replace(agent=(2, 2), trail=((0, 0), (0, 3), (2, 1)), changed=scene().walls)
    frames = []
    for layers in (ALL_LAYERS, STATIC_LAYERS + MOVING_LAYERS):
        frame = paint_ground(full.walls, SIZE)
        cells = frame.reshape(SHAPE[0], SIZE, SHAPE[1], SIZE, 3).swapaxes(1, 2)
        for layer in layers:
            for item in layer(full, False):
                draw(Canvas(frame, cells, SIZE), item)
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
def test_empty_overlays_draw_nothing(name: str, size: int) -> None:
    plain = paint(scene(), size)
    np.testing.assert_array_equal(paint(scene(**{name: NOTHING[name]}), size), plain)


def test_hidden_overlays_not_drawn() -> None:
    full = scene(**everything())._replace(trail=((2, 2),), changed=np.ones(SHAPE, np.bool_))
    hidden = full._replace(overlays=full.overlays.only([]))
    np.testing.assert_array_equal(paint(hidden), paint(scene()))
    for name in OVERLAYS:
        alone = full._replace(overlays=full.overlays.only([name]))
        assert differing(paint(alone), paint(scene())), name


@pytest.mark.parametrize("name", ["values", "q", "policy", "visits", "tree", "planned"])
@pytest.mark.parametrize("size", [1, 4, 32])
def test_overlays_leave_walls_unchanged(name: str, size: int) -> None:
    arrays = everything()
    arrays["planned"] = [[cell, 0] for cell in range(12)]
    drawn, plain = paint(scene(**{name: arrays[name]}), size), paint(scene(), size)
    assert (1, 1) not in differing(drawn, plain, size)
    assert differing(drawn, plain, size) >= {(0, 1), (1, 0), (2, 3)}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 13, 64])
def test_paint_any_cell_size(size: int) -> None:
    full = scene(**everything())._replace(
        agent=(2, 2), position=(2.1, 2.9), path=((0.0, 0.0), (3.0, 4.0)), changed=scene().walls
    )
    frame = paint(full, size)
    assert frame.shape == (3 * size, 4 * size, 3)
    covered = {(0, 3)} if size < 6 else set()  # by the goal, a plain square there
    assert len(differing(frame, paint(scene(), size), size) | covered) == 12


def test_agent_and_goal_above_overlays() -> None:
    full = scene(**everything())
    away, there = paint(full), paint(full._replace(agent=(2, 2)))
    contrast = abs(pixels(there, (2, 2)) - pixels(away, (2, 2))).max(axis=2)
    assert (contrast > 60).mean() > 0.2
    equal = (pixels(away, (0, 3)) == pixels(paint(scene()), (0, 3))).all(axis=2)
    assert equal.mean() > 0.3, "the star"


def test_paint_rejects_foreign_overlays() -> None:
    other = Overlays().replace((4, 3), values=np.zeros(12))
    with pytest.raises(
        ValueError, match=r"values: array for a maze of \(4, 3\); expected \(3, 4\)"
    ):
        paint(scene()._replace(overlays=other))


def test_overlays_leave_cache_clean() -> None:
    painter = FramePainter(*SHAPE)
    plain = painter.paint(scene())
    painter.paint(scene(**everything()))
    np.testing.assert_array_equal(painter.paint(scene()), plain)


# -- values ----------------------------------------------------------------------------------------


def test_color_scale_lightness_uniform() -> None:
    shades = map_colors(np.linspace(0, 1, 256)).astype(np.float64) / 255
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ (0.2126, 0.7152, 0.0722)) - 16
    steps = np.diff(lightness)
    assert steps.min() >= 0
    assert np.add.reduceat(steps, range(0, 255, 5)).min() > 0
    assert steps.max() < 3 * steps.mean()


def test_larger_values_are_brighter() -> None:
    frame = paint(scene(values=np.arange(12.0)))
    cells = [(2, 0), (2, 1), (2, 2), (2, 3)]
    brightness = [pixels(frame, cell)[8:24, 8:24].sum() for cell in cells]
    assert brightness == sorted(set(brightness))


@pytest.mark.parametrize("size", [1, 5, 32])
def test_goal_has_no_value(size: int) -> None:
    values, q = np.ones(SHAPE), np.ones((*SHAPE, 4))
    values[0, 3] = q[0, 3] = -1000.0
    drawn, plain = paint(scene(values=values, q=q), size), paint(scene(), size)
    assert (0, 3) not in differing(drawn, plain, size)
    values[0, 3] = q[0, 3] = 5.0
    np.testing.assert_array_equal(paint(scene(values=values, q=q), size), drawn)


@pytest.mark.parametrize("size", [1, 5, 32])
def test_agent_on_goal_shows_star(size: int) -> None:
    there, star = scene()._replace(agent=(0, 3)), np.array(GOAL_STAR)
    frame = paint(there, size)
    hidden = paint(there._replace(goals=()), size)
    assert differing(frame, hidden, size) == {(0, 3)}
    if size > 1:
        cell = pixels(frame, (0, 3), size)[: size // 2, size // 2 :]
        assert (abs(cell - star).max(axis=2) < 40).sum() >= size * size // 40


def test_nan_value_draws_nothing() -> None:
    drawn = paint(scene(values=only((2, 2), 1.0)))
    assert differing(drawn, paint(scene())) == {(2, 2)}


def middle_color(values: Any, cell: Cell = (2, 2), **more: Any) -> tuple[int, ...]:
    return tuple(pixels(paint(scene(values=values, **more)), cell)[16, 16])


@pytest.mark.parametrize("constant", [0.0, -7.5, 1e308, 5e-324])
def test_equal_values_use_middle_color(constant: float) -> None:
    expected = tuple(map_colors(np.array(0.5)))
    assert middle_color(np.full(12, constant)) == expected


def test_extreme_differences_use_full_scale() -> None:
    for low, high in ((-1.7e308, 1.7e308), (0.0, 1e-300)):
        values = np.full(SHAPE, low)
        values[2, 2] = high
        assert middle_color(values) == tuple(map_colors(np.array(1.0)))
        assert middle_color(values, (2, 1)) == tuple(map_colors(np.array(0.0)))


def test_subnormal_difference_no_division_error() -> None:
    values = np.zeros(SHAPE)
    values[2, 2] = 5e-324
    assert middle_color(values) == tuple(map_colors(np.array(0.5)))


def test_value_range_fixes_and_clips() -> None:
    fixed: dict[str, Any] = {"value_range": (0.0, 10.0)}
    color = {value: middle_color(only((2, 2), value), **fixed) for value in (-5.0, 0.0, 5.0, 99.0)}
    assert color[-5.0] == color[0.0] == tuple(map_colors(np.array(0.0)))
    assert color[5.0] == tuple(map_colors(np.array(0.5)))
    assert color[99.0] == tuple(map_colors(np.array(1.0)))


def test_wall_values_do_not_scale() -> None:
    values = np.arange(12.0).reshape(SHAPE)
    other = values.copy()
    other[1, 1] = 1e6
    np.testing.assert_array_equal(paint(scene(values=values)), paint(scene(values=other)))


@settings(max_examples=25)
@given(hnp.arrays(np.float64, SHAPE, elements=st.floats(allow_infinity=False)))
def test_paint_any_values(values: npt.NDArray[np.float64]) -> None:
    paint(scene(values=values, q=np.repeat(values[..., np.newaxis], 4, axis=2)))


# -- action values, policy, planning ---------------------------------------------------------------


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("hub", [False, True])
def test_action_values_color_their_triangles(action: int, hub: bool) -> None:
    q = only((2, 2), np.zeros(4), 4)
    q[2, 2, action] = 1.0
    values = {"values": np.zeros(SHAPE)} if hub else {}
    cell = pixels(paint(scene(q=q, **values)), (2, 2))
    down, right = STEPS[action]
    at = cell[16 + 10 * down, 16 + 10 * right]
    others = [cell[16 + 10 * d, 16 + 10 * r] for d, r in STEPS if (d, r) != (down, right)]
    assert tuple(at) == tuple(map_colors(np.array(1.0)))
    assert all(tuple(o) == tuple(map_colors(np.array(0.0))) for o in others)


@pytest.mark.parametrize("size", [1, 5])
def test_small_cells_show_best_action(size: int) -> None:
    q = only((2, 2), [0.0, 1.0, np.nan, 0.5], 4)
    cell = pixels(paint(scene(q=q), size), (2, 2), size)
    assert (cell == map_colors(np.array(1.0))).all()


def test_nan_action_value_draws_nothing() -> None:
    q = only((2, 2), [np.nan, 0.0, 1.0, 0.5], 4)
    cell, plain = pixels(paint(scene(q=q)), (2, 2)), pixels(paint(scene()), (2, 2))
    np.testing.assert_array_equal(cell[2:10, 14:18], plain[2:10, 14:18])
    assert (cell[22:30, 14:18] != plain[22:30, 14:18]).any(axis=2).all()


def test_state_and_action_values_share_scale() -> None:
    values, q = only((2, 2), 1.0), only((2, 2), [0.0, 0.0, 0.0, 1.0], 4)
    cell = pixels(paint(scene(values=values, q=q)), (2, 2))
    assert tuple(cell[16, 16]) == tuple(cell[16, 5]) == (253, 231, 37)


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("size", [5, 32])
def test_arrow_points_along_action(action: int, size: int) -> None:
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


def test_arrow_length_grows_with_probability() -> None:
    reach = []
    for probability in (0.1, 0.4, 0.7, 1.0):
        policy = np.zeros((*SHAPE, 4))
        policy[2, 2] = (probability, 0, 1 - probability, 0)
        cell, plain = pixels(paint(scene(policy=policy)), (2, 2)), pixels(paint(scene()), (2, 2))
        reach.append(16 - np.nonzero((cell != plain).any(axis=(1, 2)))[0][0])
    assert reach == sorted(set(reach))


def test_no_arrows_if_improbable_or_goal() -> None:
    policy = np.full((*SHAPE, 4), (0.02, 0.94, 0.02, 0.02))
    drawn, plain = paint(scene(policy=policy)), paint(scene())
    assert (0, 3) not in differing(drawn, plain)
    assert changed_part((2, 2), 1, policy=policy) > 0.95


@pytest.mark.parametrize("action", range(4))
def test_update_marked_at_action_side(action: int) -> None:
    assert changed_part((2, 2), action, planned=[[10, action]]) > 0.95


def strength_of(planned: Any, state: int) -> float:
    cell = (state // 4, state % 4)
    return float(
        abs(pixels(paint(scene(planned=planned)), cell) - pixels(paint(scene()), cell)).sum()
    )


def test_updates_fade_with_age() -> None:
    planned = [[8, 0]] * 20 + [[9, 0]] * 20 + [[10, 0]] * 20
    strengths = [strength_of(planned, state) for state in (8, 9, 10)]
    assert strengths == sorted(set(strengths))
    assert strength_of([[8, 0]] + [[9, 0]] * 63, 8) > 0
    assert strength_of([[8, 0]] + [[9, 0]] * 64, 8) == 0


def test_repeated_update_takes_newest_age() -> None:
    again = [[8, 0], *[[9, 0]] * 30, [8, 0]]
    assert strength_of(again, 8) == strength_of([[8, 0]], 8)


# -- counts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["visits", "tree"])
@pytest.mark.parametrize("size", [4, 32])
def test_visit_marks_grow_with_count(name: str, size: int) -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (1, 10, 100, 1000)
    drawn, plain = paint(scene(**{name: counts}), size), paint(scene(), size)
    cells = [(2, 0), (2, 1), (2, 2), (2, 3)]
    change = [abs(pixels(drawn, c, size) - pixels(plain, c, size)).sum() for c in cells]
    assert change == sorted(set(change))
    assert differing(drawn, plain, size) == set(cells)


def test_visit_bar_is_logarithmic() -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (1, 3, 15, 255)  # log2(1 + n) is 1, 2, 4, 8
    frame = paint(scene(visits=counts, values=np.zeros(SHAPE)))
    white = [(pixels(frame, (2, col))[27] > 200).all(axis=1).sum() for col in range(4)]
    np.testing.assert_allclose(np.array(white) / white[3], (1 / 8, 1 / 4, 1 / 2, 1), atol=0.08)


def test_visits_visible_over_values() -> None:
    values = np.zeros(SHAPE)
    drawn = paint(scene(values=values, visits=only((2, 2), 1.0)))
    assert differing(drawn, paint(scene(values=values))) == {(2, 2)}


# -- belief ----------------------------------------------------------------------------------------


def belief_cell(cell: Cell, probability: float) -> npt.NDArray[np.int64]:
    belief = scene().walls.astype(np.float64)
    belief[cell] = probability
    return pixels(paint(scene(belief=belief)), cell)


@pytest.mark.parametrize("cell", [(2, 2), (1, 1)])
def test_belief_marks_are_distinct(cell: Cell) -> None:
    wall = float(scene().walls[cell])
    plain = pixels(paint(scene()), cell)
    correct, wrong, unsure, unknown = (belief_cell(cell, p) for p in (wall, 1 - wall, 0.5, np.nan))
    np.testing.assert_array_equal(unsure, unknown)
    change = [abs(one - plain).sum() for one in (correct, unsure, wrong)]
    assert 0 < change[0] < change[1] < change[2]
    for one, other in ((correct, wrong), (wrong, unsure), (unsure, correct)):
        assert abs(one - other).mean() > 10
    assert (wrong[1, 16] == WRONG).all(), "the frame of an error"


def test_false_wall_striped_false_floor_plain() -> None:
    false_wall, hole = belief_cell((2, 2), 1.0), belief_cell((1, 1), 0.0)
    assert np.ptp(false_wall[5, 6:26], axis=0).max() > 50
    assert np.ptp(hole[5, 6:26], axis=0).max() < 10
    assert hole[16, 16].sum() > pixels(paint(scene()), (1, 1))[16, 16].sum() + 150


def test_boolean_belief_equals_probabilities() -> None:
    walls = scene().walls
    one, other = (paint(scene(belief=b)) for b in (~walls, 1.0 - walls))
    np.testing.assert_array_equal(one, other)


def test_error_mark_grows_with_certainty() -> None:
    plain = pixels(paint(scene()), (2, 2))
    ring = [abs(belief_cell((2, 2), p) - plain)[1, 16].sum() for p in (0.6, 0.8, 1.0)]
    purple = [belief_cell((2, 2), p)[1, 16] @ (1, -1, 0) for p in (0.6, 0.8, 1.0)]
    assert all(change > 0 for change in ring)
    assert purple == sorted(set(purple))


# -- changes of the scene itself ------------------------------------------------------------------


def test_opened_wall_visible_over_values() -> None:
    changed = np.zeros(SHAPE, dtype=np.bool_)
    changed[2, 2] = True
    values = scene(values=np.full(SHAPE, 0.5))
    one, other = (pixels(paint(s), (2, 2)) for s in (values, values._replace(changed=changed)))
    assert (abs(one - other).max(axis=2) > 60).mean() > 0.1


def test_dark_covers_unknown_cells() -> None:
    nan = np.nan
    belief = np.array([[nan, 0, nan, nan], [nan, 1, 0, nan], [nan, nan, 1, nan]])
    made = scene(belief=belief, dark=True)._replace(agent=(2, 0))
    shown = paint(made)
    bare = paint(made._replace(overlays=Overlays()))
    differs = (shown != bare).reshape(3, SIZE, 4, SIZE, 3).any(axis=(1, 3, 4))
    # All but correct cells and the agent's own: unknown ones, and a wall that is none.
    np.testing.assert_array_equal(
        differs, [[True, False, True, True], [True, False, False, True], [False, True, True, True]]
    )
    brightness = shown.reshape(3, SIZE, 4, SIZE, 3).mean(axis=(1, 3, 4))
    assert brightness[np.isnan(belief) & (differs)].max() < 60
    assert brightness[2, 2] > 100
    np.testing.assert_array_equal(paint(made._replace(overlays=made.overlays.only([]))), bare)


def test_change_shines_through_darkness() -> None:
    changed = np.zeros(SHAPE, dtype=np.bool_)
    changed[1, 1] = True
    made = scene(belief=np.full(SHAPE, np.nan), dark=True)
    dark, lit = (
        paint(each).reshape(3, SIZE, 4, SIZE, 3)[1, :, 1]
        for each in (made, made._replace(changed=changed))
    )
    assert lit.mean() > dark.mean() + 20
