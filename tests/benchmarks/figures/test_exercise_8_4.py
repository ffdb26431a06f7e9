"""Exercise 8.4: the settings of the figures, detection of the change, results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynamaze.benchmarks.figures import figures_8_4_and_8_5
from dynamaze.benchmarks.figures.exercise_8_4 import (
    MAZES,
    Exercise84Config,
    found_change,
    maze_reference,
    run,
)
from dynamaze.benchmarks.harness.analysis.table import Table, rows_where

RUNS = 40


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(Exercise84Config(runs=RUNS, kappas=(3e-3,)))


def own(tables: dict[str, Table], maze: str, bonus: str, kappa: float, epsilon: float) -> Table:
    table = rows_where(tables["exercise_8_4_kappas"], maze=maze, bonus=bonus)
    table = rows_where(table, kappa=kappa, epsilon=epsilon)
    assert len(table["runs"]) == 1
    return table


@pytest.mark.parametrize("name", sorted(MAZES))
def test_settings_equal_figures(tables: dict[str, Table], name: str) -> None:
    maze = replace(MAZES[name], runs=RUNS)
    figure = figures_8_4_and_8_5.run(maze)[maze.name]
    curves = rows_where(tables["exercise_8_4"], maze=name, epsilon=0.1)
    for bonus, agent in (("none", "DynaQ"), ("planning", "DynaQPlus")):
        curve = rows_where(curves, bonus=bonus)
        theirs = rows_where(figure, agent=agent)
        np.testing.assert_array_equal(curve["step"], theirs["step"][9::10])
        np.testing.assert_array_equal(curve["reward_mean"], theirs["reward_mean"][9::10])


@pytest.mark.parametrize("epsilon", [0.1, 0.0])
def test_planning_bonus_finds_change(tables: dict[str, Table], epsilon: float) -> None:
    # 500 runs found the change in every case with the bonus in planning, and in at most 26% with
    # that at the choice: intervals of 40 runs touch less often than once in 10^5 times.
    for name, maze in MAZES.items():
        planning = own(tables, name, "planning", maze.kappa, epsilon)
        action = own(tables, name, "action", maze.kappa, epsilon)
        assert planning["found_low"][0] > action["found_high"][0]
        assert planning["regret_high"][0] < action["regret_low"][0]


def test_action_bonus_tolerates_larger_weight(tables: dict[str, Table]) -> None:
    # Regrets of 500 runs: 205 and 130, with standard deviations of 5 and 22.
    for name in MAZES:
        planning = own(tables, name, "planning", 3e-3, 0.1)
        action = own(tables, name, "action", 3e-3, 0.1)
        assert action["regret_high"][0] < planning["regret_low"][0]
    assert own(tables, "blocking", "action", 3e-3, 0.1)["found_mean"][0] > 0.8


def test_found_change_by_hand() -> None:
    def found(goals: list[int], shortest: tuple[int, int]) -> bool:
        rewards = np.zeros(100)
        rewards[np.array(goals, dtype=int) - 1] = 1  # goals at these steps
        return found_change(rewards, 50, shortest)

    blocking, shortcut = (10, 16), (16, 10)
    assert not found([], blocking)
    assert not found([12, 40], blocking)
    assert not found([40, 60], blocking)  # that episode began before the change
    assert found([40, 60, 99], blocking)
    assert found([50, 70], blocking)  # it began with the change
    assert not found([40, 60, 76], shortcut)  # 16 steps were possible before
    assert found([40, 60, 75], shortcut)
    assert not found([20, 35, 52], shortcut)


@pytest.mark.parametrize(("name", "shortest"), [("blocking", (10, 16)), ("shortcut", (16, 10))])
def test_maze_reference_shortest_paths(name: str, shortest: tuple[int, int]) -> None:
    reference = maze_reference(MAZES[name])
    assert reference.shortest == shortest
    steps = MAZES[name].steps
    assert reference.best[reference.change - 1] == pytest.approx(reference.change / shortest[0])
    later = (steps - reference.change) / shortest[1]
    assert reference.best[-1] == pytest.approx(reference.best[reference.change - 1] + later)


def test_run_counts_all_runs(tables: dict[str, Table]) -> None:
    config = Exercise84Config(runs=2, epsilons=(0.1,), kappas=())
    small = run(config)
    assert config.total_runs == 12
    assert set(small["exercise_8_4"]["runs"]) == {2}
    assert set(tables["exercise_8_4"]["runs"]) == {RUNS}
