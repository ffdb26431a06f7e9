"""Figure 8.7: the simulation against the closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynamaze.benchmarks.figures.figure_8_7 import (
    Figure87Config,
    closed_form,
    curve_points,
    errors,
    run,
    trial,
)
from dynamaze.benchmarks.harness.analysis.intervals import student_t_quantile
from dynamaze.benchmarks.harness.analysis.table import Table, rows_where

BRANCHING = (2, 10, 100, 1000)
RUNS = 2000
SIGMAS = 5


@pytest.fixture(scope="module")
def table() -> Table:
    (only,) = run(Figure87Config(runs=RUNS, branching=BRANCHING)).values()
    return only


def compared(table: Table, branching: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean squares, standard errors and exact values after 1, about b/2, b, 2b updates."""
    curve = rows_where(table, branching=branching)
    points = (1, branching / 2, branching, 2 * branching)
    rows = [int(np.abs(curve["updates"] - point).argmin()) for point in points]
    mean, low, high = (curve[f"rms_{part}"][rows] ** 2 for part in ("mean", "low", "high"))
    half = student_t_quantile(0.975, RUNS - 1)
    return mean, (high - low) / 2 / half, curve["closed_form"][rows] ** 2


@pytest.mark.parametrize("branching", BRANCHING)
def test_simulation_matches_closed_form(table: Table, branching: int) -> None:
    # Of 9000 curves with other seeds (b = 2, 10, 100) none had one of its four points further than
    # 5 standard errors away: false alarms are rarer than one in 3000 curves.
    mean, standard_error, truth = compared(table, branching)
    assert (np.abs(mean - truth) < SIGMAS * standard_error).all()


@pytest.mark.parametrize("branching", BRANCHING[1:])
def test_comparison_detects_absolute_error(table: Table, branching: int) -> None:
    _, standard_error, truth = compared(table, branching)
    mean_absolute = truth * 2 / np.pi  # its square, for errors that are almost normal
    assert (truth - mean_absolute > 2 * SIGMAS * standard_error).all()


def test_closed_form_values() -> None:
    assert closed_form(2, [0, 1, 2]) == pytest.approx([1, np.sqrt(0.5), 0.5])
    assert closed_form(10_000, 10_000) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("branching", [2, 10, 10_000])
def test_curve_points_include_limits(branching: int) -> None:
    points = curve_points(branching)
    assert {0, 1, branching, 2 * branching} <= set(points.tolist())
    assert (np.diff(points) > 0).all()


def test_errors_forget_initial_error(table: Table) -> None:
    before = rows_where(table, updates=0)
    for part in ("rms_mean", "rms_low", "rms_high"):
        assert before[part] == pytest.approx(1.0, abs=1e-12)
    rng = np.random.default_rng(3)
    assert errors(1, np.array([0, 1, 2]), rng) == pytest.approx([1, 0, 0])


def test_runs_are_independent() -> None:
    few, many = Figure87Config(runs=2, branching=(10,)), Figure87Config(runs=9)
    np.testing.assert_array_equal(trial(few, 10, 1)["error"], trial(many, 10, 1)["error"])
    others = [trial(few, 2, 1), trial(few, 10, 0), trial(replace(few, seed=1), 10, 1)]
    assert all(other["error"][1] != trial(few, 10, 1)["error"][1] for other in others)


def test_run_same_seed() -> None:
    config = Figure87Config(runs=3, branching=(2, 10))
    (first,) = run(config).values()
    assert config.total_runs == 6
    (again,) = run(config).values()
    (other,) = run(Figure87Config(runs=3, branching=(2, 10), seed=1)).values()
    np.testing.assert_array_equal(first["rms_mean"], again["rms_mean"])
    assert (first["rms_mean"] != other["rms_mean"]).any()
