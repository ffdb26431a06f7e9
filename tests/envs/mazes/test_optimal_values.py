"""Optimal values and policies of one maze compared with value iteration on its MDP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dynamaze.envs import PRESETS, Dynamics, Layout, LayoutError, MazeGenerator, Rewards
from dynamaze.envs.mazes.optimal_values import (
    LARGE,
    in_place_value_iteration,
    optimal_action_values,
    optimal_policy,
    optimal_values,
)

NUMBERS = st.sampled_from([-2.0, -1.0, -0.1, 0.0, 0.1, 1.0, 2.0]) | st.floats(-3, 3)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Draw a small maze, with disconnected cells, walls inside walls and any rewards."""
    rows, cols = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    text = [draw(st.text("..##G", min_size=cols, max_size=cols)) for _ in range(rows)]
    where = draw(st.integers(0, rows * cols - 1))
    row, col = divmod(where, cols)
    text[row] = text[row][:col] + "S" + text[row][col + 1 :]
    try:
        return Layout.from_text(text, Rewards(draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)))
    except LayoutError:
        assume(False)
        raise


@settings(max_examples=300)
@given(layouts(), st.sampled_from([0.0, 0.3, 0.9, 0.95]))
def test_deterministic_values_equal_value_iteration(layout: Layout, gamma: float) -> None:
    mdp = Dynamics(layout).mdp
    values = optimal_values(layout, gamma)
    expected = mdp.optimal_values(gamma, tolerance=1e-14)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)
    # They also solve the Bellman equations.
    np.testing.assert_allclose(values, mdp.backup(values, gamma).max(axis=1), rtol=0, atol=1e-13)


def swept(layout: Layout, values: np.ndarray, sweeps: int) -> np.ndarray:
    mdp = Dynamics(layout).mdp
    for _ in range(sweeps):
        values = mdp.backup(values, 1.0).max(axis=1)
    return values


@settings(max_examples=100)
@given(layouts())
def test_undiscounted_values_are_limits(layout: Layout) -> None:
    assume(all(reward == 0 or abs(reward) > 0.01 for reward in layout.rewards))
    earlier = swept(layout, np.zeros(layout.num_cells), 1000)
    later = swept(layout, earlier, 500)
    converged = np.isclose(later, earlier, rtol=0, atol=1e-9)
    if (later[~converged] > earlier[~converged]).any():
        with pytest.raises(
            ValueError, match=r"has an endless positive reward; expected gamma below 1"
        ):
            optimal_values(layout, 1.0)
        return
    values = optimal_values(layout, 1.0)
    np.testing.assert_allclose(values[converged], later[converged], rtol=0, atol=1e-9)
    assert (values[~converged] == -np.inf).all()


@settings(max_examples=200, deadline=None)
@given(layouts(), st.sampled_from([0.0, 0.3, 0.95]), st.sampled_from([0.1, 0.5, 1.0]))
def test_in_place_equals_value_iteration(layout: Layout, gamma: float, slip: float) -> None:
    layout = replace(layout, slip_probability=slip)
    mdp = Dynamics(layout).mdp
    values = in_place_value_iteration(layout, gamma)
    np.testing.assert_allclose(values, mdp.optimal_values(gamma, tolerance=1e-14), atol=1e-10)
    np.testing.assert_allclose(values, mdp.backup(values, gamma).max(axis=1), atol=1e-10)


def test_large_mazes_use_in_place() -> None:
    walls, start, goal = MazeGenerator(51, "obstacles").make(0)
    layout = Layout(walls, (start,), (goal,), slip_probability=0.2)
    assert layout.num_cells >= LARGE
    mdp = Dynamics(layout).mdp
    np.testing.assert_array_equal(optimal_values(layout), in_place_value_iteration(layout, 0.95))
    np.testing.assert_allclose(optimal_values(layout), mdp.optimal_values(), atol=1e-9)
    np.testing.assert_array_equal(optimal_policy(layout), mdp.optimal_policy())


def test_in_place_begins_with_values_without_goal() -> None:
    # Cells without a path to the goal begin with their value, step / (1 - gamma); from 0 it would
    # take them thousands of sweeps to get there.
    layout = Layout.from_text("..#S..G.#.", Rewards(1.0, -1.0, -1.0), slip_probability=0.2)
    values = in_place_value_iteration(layout, 0.99, max_sweeps=50)
    np.testing.assert_allclose(values[[0, 1, 9]], -100, rtol=1e-12)
    assert values[6] == 0


def test_in_place_stops_at_tolerance() -> None:
    # In a corridor slips stay or go on as the rest does: the second sweep changes nothing.
    layout = Layout.from_text("S..G", slip_probability=0.5)
    values = in_place_value_iteration(layout, 0.5, tolerance=0.0, max_sweeps=2)
    np.testing.assert_allclose(values, Dynamics(layout).mdp.optimal_values(0.5), atol=1e-12)


def test_in_place_reports_divergence() -> None:
    layout = Layout.from_text(PRESETS["dyna"], slip_probability=0.2)
    with pytest.raises(RuntimeError, match=r"after 3 sweeps; expected at most 1e-12"):
        in_place_value_iteration(layout, 0.95, max_sweeps=3)


@pytest.mark.parametrize("slip", [0.1, 1.0])
def test_slippery_values_equal_mdp(slip: float) -> None:
    layout = Layout.from_text(PRESETS["dyna"], Rewards(1, -0.1, -0.2), slip)
    mdp = Dynamics(layout).mdp
    np.testing.assert_array_equal(optimal_values(layout, 0.9), mdp.optimal_values(0.9))
    np.testing.assert_array_equal(
        optimal_action_values(layout, 0.9), mdp.optimal_action_values(0.9)
    )
    np.testing.assert_array_equal(optimal_policy(layout, 0.9), mdp.optimal_policy(0.9))


def test_values_on_wall_cells() -> None:
    plain, rewarding = (
        Layout.from_text("S#G\n.#.\n...", Rewards(1.0, 0.0, wall)) for wall in (0.0, 1.0)
    )
    assert optimal_values(plain, 0.5)[1] == 1.0  # right, onto the goal
    assert optimal_policy(plain, 0.5)[1].tolist() == [0, 1, 0, 0]
    assert optimal_values(plain, 0.5)[4] == 0.5  # right, then up
    assert optimal_policy(plain, 0.5)[4].tolist() == [0, 1, 0, 0]
    assert optimal_values(rewarding, 0.5)[1] == 2.0  # against the edge above or the wall below
    assert optimal_policy(rewarding, 0.5)[1].tolist() == [0.5, 0, 0.5, 0]


def test_values_with_positive_steps() -> None:
    layout = Layout.from_text("S...G", Rewards(goal=1.0, step=1.0))
    np.testing.assert_allclose(optimal_values(layout, 0.9), [10, 10, 10, 10, 0])
    larger_goal = Layout.from_text("S...G", Rewards(goal=20.0, step=1.0))
    np.testing.assert_allclose(optimal_values(larger_goal, 0.9)[:4], [17.29, 18.1, 19, 20])


@pytest.mark.parametrize("gamma", [0.5, 0.95, 1.0])
@pytest.mark.parametrize(
    ("text", "rewards"),
    [(PRESETS["dyna"], Rewards(5.0, -0.5, -0.7)), ("S..G.#.", Rewards(10.0, -1.0, -1.0))],
)
def test_values_are_returns_of_shortest_paths(text: str, rewards: Rewards, gamma: float) -> None:
    layout = Layout.from_text(text, rewards)
    values = optimal_values(layout, gamma).reshape(layout.walls.shape)
    assert (values[layout.distances == 0] == 0).all()
    for cell in np.argwhere(layout.distances > 0):
        expected = rewards.goal
        for _ in range(int(layout.distances[tuple(cell)]) - 1):
            expected = rewards.step + gamma * expected
        assert values[tuple(cell)] == expected


def test_policy_handles_tiny_values() -> None:
    walls = np.zeros((35, 35), dtype=bool)
    walls[1::2] = True
    walls[1::4, -1] = walls[3::4, 0] = False
    layout = Layout(walls, ((0, 0),), ((34, 0 if walls[33, -1] else 34),))
    distances = layout.distances
    policy = optimal_policy(layout, 0.5)
    assert 0 < optimal_values(layout, 0.5)[0] < 1e-180
    for cell in layout.shortest_path[:-1]:
        row, col = cell
        beside = [(row - 1, col), (row, col + 1), (row + 1, col), (row, col - 1)]
        nearer = [
            0 <= i < 35 and 0 <= j < 35 and distances[i, j] == distances[cell] - 1
            for i, j in beside
        ]
        assert policy[layout.index(cell)].tolist() == [float(near) for near in nearer]


def test_policy_ignores_rounding() -> None:
    # The goal has the same value as endless steps, or walls.
    layout = Layout.from_text("S..G", Rewards(goal=1.0, step=0.1, wall=0.1))
    assert (optimal_policy(layout, 0.9) == 0.25).all()


def test_rewarding_wall_beyond_goal() -> None:
    enclosed = Layout.from_text(".G.\nGSG\n.G.", Rewards(goal=0.5, wall=1.0))
    assert optimal_values(enclosed, 0.9)[4] == 0.5
    assert optimal_values(enclosed, 0.9)[0] == pytest.approx(10)


@pytest.mark.parametrize("slip", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_gamma_is_checked(gamma: float, slip: float) -> None:
    layout = Layout.from_text("S.G", slip_probability=slip)
    for function in (optimal_values, optimal_action_values, optimal_policy):
        with pytest.raises(ValueError, match="gamma="):
            function(layout, gamma)
