"""Example 8.4: prioritised sweeping against Dyna-Q in growing mazes."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.benchmarks.figures import example_8_4
from dynamaze.benchmarks.figures.command import Figures, main
from dynamaze.benchmarks.figures.example_8_4 import (
    Example84Config,
    counts,
    enlarged_maze,
    greedy_path_length,
    plot,
    ratio_of_medians,
    run,
    summary,
)
from dynamaze.benchmarks.harness.analysis.table import Table, read_csv

SMALL = Example84Config(runs=12, sizes=(1, 2), max_steps=200_000)


@pytest.fixture(scope="module")
def table() -> Table:
    return run(SMALL)[SMALL.name]


@pytest.mark.parametrize(("size", "cells", "shortest"), [(1, 47, 14), (2, 188, 27), (5, 1175, 66)])
def test_enlarged_maze_size(size: int, cells: int, shortest: int) -> None:
    layout = gym.make("DynaMaze-v0", layout=enlarged_maze(size)).unwrapped.layout  # type: ignore[attr-defined]
    assert (~layout.walls).sum() == cells
    assert layout.shortest_path_length == shortest
    assert len(layout.goals) == size**2
    assert layout.starts == ((2 * size, 0),)


def test_sweeping_needs_fewer_updates(table: Table) -> None:
    for states in (47, 188):
        near = [counts(table, method, states, "near") for method in example_8_4.PLANNERS]
        # The worst run of one is better than the best of the other.
        assert near[1].max() < near[0].min()
        assert ratio_of_medians(table, states, "near").low > 10
    # Each of the 47 cells has at most 4 actions that a value has to reach once.
    assert counts(table, "prioritised_sweeping", 47, "near").max() < 4 * 4 * 47


def test_near_before_optimal(table: Table) -> None:
    assert (table["updates_optimal"] >= table["updates_near"]).all()
    assert np.isfinite(table["updates_near"]).all()


def test_run_same_seed(table: Table) -> None:
    again = run(SMALL)[SMALL.name]
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)


def test_greedy_path_length() -> None:
    moves, ends = np.array([[1, 0], [1, 2], [2, 2]]), np.zeros((3, 2), dtype=bool)
    ends[1, 1] = True
    q = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert greedy_path_length(moves, ends, q, 0, 5) == 2
    assert greedy_path_length(moves, ends, q, 0, 1) == 0
    q[1] = 0.0  # a tie goes to the first action, which leads back
    assert greedy_path_length(moves, ends, q, 0, 5) == 0


def test_figures_command_runs_it(tmp_path: Path) -> None:
    main(Figures(runs=2, output=tmp_path, only=("example-8-4",), workers=1))
    stored = read_csv(tmp_path / "results" / "example_8_4.csv")
    assert set(stored["states"]) == {47, 188, 423, 752, 1175}
    figure = plot({"example_8_4": stored}, Example84Config())
    assert len(figure.axes) == 2
    lines = summary({"example_8_4": stored}, Example84Config())
    assert [len(each) for each in lines.values()] == [11, 11]
