"""Layouts: text form, errors and shortest paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs import Layout, LayoutError, Rewards
from dynamaze.envs.mazes.layout import DISPLACEMENTS, MAX_CELLS

MakeLayout = Callable[[np.random.Generator], Layout]


def brute_force_distances(layout: Layout) -> np.ndarray:
    """Bellman-Ford: relax every cell until nothing changes."""
    far = layout.num_cells
    distances = np.full(layout.walls.shape, far)
    for goal in layout.goals:
        distances[goal] = 0
    for _ in range(far):
        for cell in np.ndindex(layout.walls.shape):
            for down, right in DISPLACEMENTS:
                near = (cell[0] + down, cell[1] + right)
                inside = 0 <= near[0] < layout.rows and 0 <= near[1] < layout.cols
                if inside and not layout.walls[cell] and not layout.walls[near]:
                    distances[cell] = min(distances[cell], distances[near] + 1)
    return np.where(distances == far, -1, distances)


@pytest.mark.parametrize("seed", range(30))
def test_text_round_trips(random_layout: MakeLayout, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    assert Layout.from_text(layout.to_text()) == layout
    assert Layout.from_text(layout.to_rows()) == layout
    assert hash(Layout.from_text(layout.to_text())) == hash(layout)


@pytest.mark.parametrize("seed", range(30))
def test_distances_equal_brute_force(random_layout: MakeLayout, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    np.testing.assert_array_equal(layout.distances, brute_force_distances(layout))


@pytest.mark.parametrize("seed", range(20))
def test_shortest_path_has_distance(random_layout: MakeLayout, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    path = layout.shortest_path
    assert path[0] in layout.starts
    assert path[-1] in layout.goals
    assert len(path) - 1 == min(layout.distances[start] for start in layout.starts)
    for before, after in pairwise(path):
        assert (after[0] - before[0], after[1] - before[1]) in DISPLACEMENTS
        assert not layout.walls[after]


@given(st.one_of(st.text(max_size=60), st.text(alphabet="#.SG \n@", max_size=60)))
def test_any_text_parses_or_raises(text: str) -> None:
    try:
        layout = Layout.from_text(text)
    except LayoutError:
        return
    assert all(layout.distances[start] > 0 for start in layout.starts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S.G\n.x.", "row 1, column 1: unknown character 'x'; expected one of"),
        ("S.G\n..", "row 1 has 2 columns; expected 3"),
        ("..G", "no start 'S'"),
        ("S..", "no goal 'G'"),
        ("S#G", "from the start at row 0, column 0"),
        ("SSG\n###\nS..", "from the start at row 2, column 0"),
        ("", "at least one row"),
        (["S.G", 3], "row 1 is 3; expected text"),
        ([["S", ".", "G"]], r"row 0 is \['S', '.', 'G'\]; expected text"),
        (["", ""], "row 0 has 0 columns; expected 1"),
    ],
)
def test_errors_name_position(text: Any, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout.from_text(text)


def test_cells_outside_are_rejected() -> None:
    walls = np.zeros((2, 2), dtype=bool)
    with pytest.raises(LayoutError, match="row 0, column 5 is outside"):
        Layout(walls, ((0, 5),), ((0, 0),))
    walls[1, 1] = True
    with pytest.raises(LayoutError, match="row 1, column 1 stands on a wall"):
        Layout(walls, ((0, 0),), ((1, 1),))
    with pytest.raises(LayoutError, match="start 'S' at row 1, column 0 stands on a goal"):
        Layout(walls, ((1, 0),), ((0, 1), (1, 0)))
    for shape in ((4,), (0, 3), (1, 2, 1)):
        with pytest.raises(LayoutError, match=re.escape(f"walls of shape {shape}; expected")):
            Layout(np.zeros(shape, dtype=bool), ((0, 0),), ((0, 1),))


def test_duplicate_cells_are_merged() -> None:
    walls = np.zeros((1, 3), dtype=bool)
    layout = Layout(walls, ((0, 0), (0, 1), (0, 0)), ((0, 2), (0, 2)))
    assert layout == Layout.from_text("SSG")


def test_rewards_are_checked() -> None:
    with pytest.raises(ValueError, match="step_reward=nan"):
        Layout.from_text("S.G", Rewards(step=float("nan")))
    with pytest.raises(TypeError, match="goal_reward='1'"):
        Layout.from_text("S.G", Rewards(goal="1"))  # type: ignore[arg-type]


def test_layout_is_immutable() -> None:
    walls = np.zeros((1, 3), dtype=bool)
    layout = Layout(walls, ((0, 0),), ((0, 2),))
    walls[0, 1] = True
    assert not layout.walls.any()
    with pytest.raises(ValueError, match="read-only"):
        layout.walls[0, 1] = True
    with pytest.raises(AttributeError):
        layout.starts = ()  # type: ignore[misc]


def test_cells_outside_are_refused() -> None:
    walls = np.zeros((2, 3), dtype=bool)
    for cell in ((-1, 0), (2, 0), (0, -1), (0, 3)):
        message = f"at row {cell[0]}, column {cell[1]} is outside the maze of shape (2, 3)"
        with pytest.raises(LayoutError, match=re.escape(f"start 'S' {message}")):
            Layout(walls, (cell,), ((1, 1),))
        with pytest.raises(LayoutError, match=re.escape(f"goal 'G' {message}")):
            Layout(walls, ((1, 1),), (cell,))


def test_size_limit_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.envs.mazes.layout.MAX_CELLS", 6)
    assert Layout.from_text("S.G\n...").num_cells == 6
    with pytest.raises(LayoutError, match=r"layout of 7 cells; expected at most 6$"):
        Layout.from_text("S.....G")
    with pytest.raises(LayoutError, match=r"layout of 7 cells; expected at most 6$"):
        Layout.from_text(["SG", "....."])  # before it is refused as ragged


def test_size_is_limited() -> None:
    with pytest.raises(LayoutError, match="at most"):
        Layout.from_text(["." * (MAX_CELLS + 1)])
    with pytest.raises(LayoutError, match="at most"):
        Layout(np.zeros((2, MAX_CELLS), dtype=bool), ((0, 0),), ((0, 1),))


def all_distances(layout: Layout) -> np.ndarray:
    """Return (S, S) steps between free cells, infinite if not connected (Floyd & Warshall)."""
    steps = np.full((layout.num_cells, layout.num_cells), np.inf)
    free = [cell for cell in np.ndindex(layout.walls.shape) if not layout.walls[cell]]
    for row, col in free:
        steps[layout.index((row, col)), layout.index((row, col))] = 0
        for near in ((row + down, col + right) for down, right in DISPLACEMENTS):
            if near in free:
                steps[layout.index((row, col)), layout.index(near)] = 1
    for middle in range(layout.num_cells):
        steps = np.minimum(steps, steps[:, middle, None] + steps[None, middle])
    return steps


@pytest.mark.parametrize("seed", range(20))
def test_diameter_equals_brute_force(random_layout: MakeLayout, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    steps = all_distances(layout)
    assert layout.diameter == steps[np.isfinite(steps)].max()


def test_shortest_path_uses_nearest_start() -> None:
    layout = Layout.from_text("S..G\n..S.")
    assert layout.shortest_path_length == 2
    assert layout.shortest_path == ((1, 2), (0, 2), (0, 3))  # up before right


def test_path_from_goal_is_goal() -> None:
    layout = Layout.from_text("S.G#.")
    assert layout.path_from((0, 2)) == ((0, 2),)
    assert layout.path_from((0, 3)) == layout.path_from((0, 4)) == ()


def test_shortest_path_values_are_returns() -> None:
    layout = Layout.from_text("S..G.#.", Rewards(goal=10.0, step=-1.0))
    found = layout.shortest_path_values(0.5)
    far = -1 - 0.5 + 0.25 * 10
    np.testing.assert_array_equal(found, [[far, -1 + 0.5 * 10, 10, 0, 10, np.nan, np.nan]])
    undiscounted = layout.shortest_path_values(1.0)
    np.testing.assert_array_equal(undiscounted, [[8, 9, 10, 0, 10, np.nan, np.nan]])
    for gamma in (-0.1, 1.1):
        with pytest.raises(ValueError, match="gamma="):
            layout.shortest_path_values(gamma)
    slippery = Layout.from_text("S.G", slip_probability=0.2)
    with pytest.raises(ValueError, match=r"slip_probability=0\.2; expected 0"):
        slippery.shortest_path_values()


def test_distances_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Layout.from_text("S.G").distances[0, 0] = 0


@pytest.mark.parametrize("slip", [-0.1, 1.5, float("nan")])
def test_slip_is_checked(slip: float) -> None:
    with pytest.raises(ValueError, match="slip_probability"):
        Layout.from_text("S.G", slip_probability=slip)
    with pytest.raises(TypeError, match="slip_probability"):
        Layout.from_text("S.G", slip_probability="often")  # type: ignore[arg-type]


def test_equality_covers_all_fields() -> None:
    layout = Layout.from_text("S.G\n...")
    others = [
        *map(Layout.from_text, ("S.G\n..#", "S.G\nS..", "S.G\n..G", "S.\nG.\n..", "G.S\n...")),
        Layout.from_text("S.G\n...", Rewards(step=-1.0)),
        Layout.from_text("S.G\n...", slip_probability=0.5),
        "S.G\n...",
    ]
    assert layout not in others
    assert len({layout, *others}) == 9


def test_index_is_row_major() -> None:
    layout = Layout.from_text("S..\n..G")
    assert [layout.index(layout.cell(i)) for i in range(6)] == list(range(6))
    assert layout.cell(5) == (1, 2)
