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
    Config,
    counts,
    greedy_length,
    grown_maze,
    plot,
    ratio,
    run,
    summary,
)
from dynamaze.benchmarks.harness.statistics import quantile_interval
from dynamaze.benchmarks.harness.table import Table, read_csv

SMALL = Config(runs=12, sizes=(1, 2), most_steps=200_000)


@pytest.fixture(scope="module")
def table() -> Table:
    return run(SMALL)[SMALL.name]


@pytest.mark.parametrize(("size", "cells", "shortest"), [(1, 47, 14), (2, 188, 27), (5, 1175, 66)])
def test_mazes_grow_cell_by_cell(size: int, cells: int, shortest: int) -> None:
    layout = gym.make("DynaMaze-v0", layout=grown_maze(size)).unwrapped.layout  # type: ignore[attr-defined]
    assert (~layout.walls).sum() == cells
    assert layout.shortest_path_length == shortest
    assert len(layout.goals) == size**2
    assert layout.starts == ((2 * size, 0),)


def test_sweeping_takes_a_fraction_of_the_updates(table: Table) -> None:
    for states in (47, 188):
        near = [counts(table, method, states, "near") for method in example_8_4.METHODS]
        # The worst run of one is better than the best of the other.
        assert near[1].max() < near[0].min()
        assert ratio(table, states, "near").low > 10
    # Each of the 47 cells has at most 4 actions that a value has to reach once.
    assert counts(table, "prioritised_sweeping", 47, "near").max() < 4 * 4 * 47


def test_no_run_is_optimal_before_it_is_near(table: Table) -> None:
    assert (table["updates_optimal"] >= table["updates_near"]).all()
    assert np.isfinite(table["updates_near"]).all()


def test_the_result_is_that_of_its_seed(table: Table) -> None:
    again = run(SMALL)[SMALL.name]
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)


def test_the_greedy_way_is_followed_to_an_end() -> None:
    moves, ends = np.array([[1, 0], [1, 2], [2, 2]]), np.zeros((3, 2), dtype=bool)
    ends[1, 1] = True
    q = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert greedy_length(moves, ends, q, 0, 5) == 2
    assert greedy_length(moves, ends, q, 0, 1) == 0
    q[1] = 0.0  # a tie goes to the first action, which leads back
    assert greedy_length(moves, ends, q, 0, 5) == 0


def test_it_is_one_of_the_figures(tmp_path: Path) -> None:
    main(Figures(runs=2, output=tmp_path, only=("example-8.4",)))
    stored = read_csv(tmp_path / "results" / "example_8_4.csv")
    assert set(stored["states"]) == {47, 188, 423, 752, 1175}
    figure = plot({"example_8_4": stored}, Config())
    assert len(figure.axes) == 2
    lines = summary({"example_8_4": stored}, Config())
    assert [len(each) for each in lines.values()] == [11, 11]


# -- quantiles ---------------------------------------------------------------------------------


def test_an_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    """Of 2000 intervals about 95% or a little more; fewer than 93.5% once in 1000 times."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        interval = quantile_interval(rng.exponential(size=30))
        covered += interval.low <= np.log(2) <= interval.high
    assert 0.935 <= covered / 2000 <= 0.985


def test_an_interval_of_a_quantile_is_infinite_where_too_few_runs_say() -> None:
    interval = quantile_interval([1.0, 2.0, 3.0, 4.0], 0.9)
    assert interval == (4.0, 3.0, np.inf) or interval.high == np.inf
    # The ends of 10 samples' median: the 2nd and the 9th (Conover 1999, table A3).
    assert quantile_interval(np.arange(1.0, 11.0))[1:] == (2.0, 9.0)
    with_infinity = quantile_interval([1.0, 2.0, np.inf])
    assert with_infinity.mean == 2.0


@pytest.mark.parametrize("wrong", [([], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_a_quantile_that_cannot_be_is_refused(wrong: tuple[list[float], float]) -> None:
    with pytest.raises(ValueError, match="expected at least 1 sample"):
        quantile_interval(*wrong)
