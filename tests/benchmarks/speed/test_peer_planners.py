"""Planners of peers: equal answers, so that speeds compare; rows where one is missing."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import TableValues
from dynamaze.agents.search.mcts.agent import TreeSearchPlanning
from dynamaze.benchmarks.speed import peer_planners
from dynamaze.benchmarks.speed.peer_planners import (
    DISCOUNT,
    TOLERANCE,
    PlainMaze,
    mctx_search,
    open_maze,
    plain_dyna_q,
    quantecon_value_iteration,
    scipy_value_iteration,
)
from dynamaze.benchmarks.speed.planners import GAMMA, complete_model
from dynamaze.envs.mazes.optimal_values import in_place_value_iteration

ERROR = DISCOUNT / (1 - DISCOUNT) * TOLERANCE
"""Largest error of values whose last sweep changed them by the tolerance."""


def test_plain_dyna_q_finds_shortest_path() -> None:
    maze: Any = gym.make("DynaMaze-v0").unwrapped
    plain = PlainMaze.of(maze.maze.dynamics)
    # A random walk visits every pair, so that planning finds the optimum.
    q = plain_dyna_q(plain, 3000, np.random.default_rng(0), learning_rate=1.0, epsilon=1.0)
    state, steps, ended = plain.start, 0, False
    while not ended and steps < 100:
        state, _, ended = plain.outcomes[state][int(np.argmax(q[state]))]
        steps += 1
    assert steps == maze.shortest_path_length == 14
    assert max(q[plain.start]) == pytest.approx(GAMMA**13)


def test_dyna_updates_give_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_planners, "DYNA_STEPS", 2000)
    monkeypatch.setattr(peer_planners, "PLAIN_STEPS", 20)
    (row,) = peer_planners.dyna_updates_beside_python(1)
    assert row.baseline == "the same in plain Python"
    assert row.ratio.endswith("x")


def test_scipy_values_equal_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    layout = open_maze(12)
    ours = in_place_value_iteration(layout, DISCOUNT, tolerance=1e-12)
    inside = np.arange(12 * 12 - 1)  # without the goal, which is never left
    np.testing.assert_allclose(scipy_value_iteration(layout)()[inside], ours[inside], atol=ERROR)
    monkeypatch.setattr(peer_planners, "SIDE", 12)
    (row,) = peer_planners.value_iteration_beside_scipy(1)
    assert row.measurement == "values of 12x12, slip 0.2"


def test_quantecon_values_equal_ours() -> None:
    pytest.importorskip("quantecon")
    layout = open_maze(12)
    ours = in_place_value_iteration(layout, DISCOUNT, tolerance=1e-12)
    values = quantecon_value_iteration(layout)()
    assert values[-1] == 0
    np.testing.assert_allclose(values[: 12 * 12 - 1], ours[:-1], atol=ERROR)


def test_mctx_finds_goal() -> None:
    pytest.importorskip("mctx")
    model, _, _ = complete_model("S..\n..G")
    actions = mctx_search(model.table, 2, 3)(1)  # above the goal
    assert actions.tolist() == [2, 2, 2]
    values = TableValues(model.num_states, model.num_actions, learning_rate=1.0, gamma=GAMMA)
    planning = TreeSearchPlanning(50, depth=50)
    rng = np.random.Generator(np.random.SFC64(0))
    assert planning.action_values(values, model, np.array([2]), rng).argmax() == 2


@pytest.mark.parametrize("library", ["scipy", "quantecon", "mctx"])
def test_missing_peer_gives_row(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    rows = [
        row
        for measure in peer_planners.MEASUREMENTS
        if library in measure.__name__
        for row in measure(1)
    ]
    assert [(row.baseline, row.baseline_speed) for row in rows] == [(library, "not installed")]
