"""Mountain Car, with few runs."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table, rows_where
from dynamaze.benchmarks.studies.mountain_car import METHODS, MountainCarConfig, plot, run, summary

CONFIG = MountainCarConfig(runs=2, episodes=2, time_limit=600)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def test_planning_needs_fewer_steps(
    tables: dict[str, Table],
) -> None:
    table = tables["mountain_car"]
    steps = {m: rows_where(table, method=m)["steps_median"].sum() for m in METHODS}
    planners = [steps[method] for method in METHODS if METHODS[method].has_planning]
    assert len(planners) == 4
    assert max(planners) < 0.9 * steps["Q-learning"]


def test_plot_and_summary_of_table(tables: dict[str, Table]) -> None:
    table = tables["mountain_car"]
    assert {len(column) for column in table.values()} == {len(METHODS) * CONFIG.episodes}
    lines = plot(tables, CONFIG).axes[0].lines
    drawn = np.concatenate([line.get_ydata() for line in lines])
    np.testing.assert_array_equal(drawn, table["steps_median"])
    first, *rest = summary(tables, CONFIG)
    assert first == ("method", "n", "episode 2")
    assert all(line[-1].endswith("(!)") for line in rest)  # two runs
    assert [line[0] for line in rest] == list(METHODS)
