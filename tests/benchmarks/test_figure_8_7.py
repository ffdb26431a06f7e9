"""Figure 8.7: the simulation against the closed form."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.figures.figure_8_7 import Config, closed_form, errors, moments, run
from dynamaze.benchmarks.harness.statistics import student_quantile
from dynamaze.benchmarks.harness.table import Table, rows_where

BRANCHING = (2, 10, 100, 1000)
RUNS = 2000
SIGMAS = 5


@pytest.fixture(scope="module")
def table() -> Table:
    (only,) = run(Config(runs=RUNS, branching=BRANCHING)).values()
    return only


def compared(table: Table, branching: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean squares, their standard errors and the truth after one, about b/2, b and 2b updates."""
    curve = rows_where(table, "branching", branching)
    looks = (1, branching / 2, branching, 2 * branching)
    rows = [int(np.abs(curve["updates"] - look).argmin()) for look in looks]
    mean, low, high = (curve[f"rms_{part}"][rows] ** 2 for part in ("mean", "low", "high"))
    half = student_quantile(0.975, RUNS - 1)
    return mean, (high - low) / 2 / half, curve["closed_form"][rows] ** 2


@pytest.mark.parametrize("branching", BRANCHING)
def test_the_simulation_agrees_with_the_closed_form(table: Table, branching: int) -> None:
    # Of 9000 curves with other seeds (b = 2, 10, 100) none had one of its four moments further than
    # 5 standard errors away: false alarms are rarer than one in 3000 curves.
    mean, standard_error, truth = compared(table, branching)
    assert (np.abs(mean - truth) < SIGMAS * standard_error).all()


@pytest.mark.parametrize("branching", BRANCHING[1:])
def test_the_comparison_would_notice_the_mean_absolute_error(table: Table, branching: int) -> None:
    _, standard_error, truth = compared(table, branching)
    mean_absolute = truth * 2 / np.pi  # its square, for errors that are almost normal
    assert (truth - mean_absolute > 2 * SIGMAS * standard_error).all()


def test_the_closed_form() -> None:
    assert closed_form(2, [0, 1, 2]) == pytest.approx([1, np.sqrt(0.5), 0.5])
    assert closed_form(10_000, 10_000) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("branching", [2, 10, 10_000])
def test_the_error_is_looked_at_before_and_at_the_expected_update(branching: int) -> None:
    looks = moments(branching)
    assert {0, 1, branching, 2 * branching} <= set(looks.tolist())
    assert (np.diff(looks) > 0).all()


def test_the_initial_error_is_one_and_is_forgotten_at_the_first_update(table: Table) -> None:
    before = rows_where(table, "updates", 0)
    for part in ("rms_mean", "rms_low", "rms_high"):
        assert before[part] == pytest.approx(1.0, abs=1e-12)
    rng = np.random.default_rng(3)
    assert errors(1, np.array([0, 1, 2]), rng) == pytest.approx([1, 0, 0])


def test_runs_are_counted_and_settled_by_the_seed() -> None:
    calls: list[None] = []
    config = Config(runs=3, branching=(2, 10))
    (first,) = run(config, lambda: calls.append(None)).values()
    assert len(calls) == config.total_runs == 6
    (again,) = run(config).values()
    (other,) = run(Config(runs=3, branching=(2, 10), seed=1)).values()
    np.testing.assert_array_equal(first["rms_mean"], again["rms_mean"])
    assert (first["rms_mean"] != other["rms_mean"]).any()
