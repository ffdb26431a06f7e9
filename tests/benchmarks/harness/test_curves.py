"""Curves with intervals: columns, lines with bands, and cumulative rewards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import mean_interval
from dynamaze.benchmarks.harness.analysis.plots import panels, points_with_bars
from dynamaze.benchmarks.harness.analysis.table import Table, make_table
from dynamaze.benchmarks.harness.curves import (
    draw_curve,
    draw_level,
    interval_of,
    interval_text,
    mean_columns,
    median_columns,
    plot_methods,
    reward_curve,
    run_methods,
    summarise_methods,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting

SAMPLES = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])


def test_mean_columns_hold_intervals() -> None:
    table = make_table(step=[1, 2], **mean_columns(reward=SAMPLES))
    assert list(table) == ["step", "reward_mean", "reward_low", "reward_high"]
    for found, expected in zip(interval_of(table, "reward"), mean_interval(SAMPLES), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert interval_text(table, "reward", 1, 1) == "5.0 [5.0, 5.0]"


@pytest.mark.parametrize(("every", "steps"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4])])
def test_reward_curve_is_cumulative(every: int, steps: list[int]) -> None:
    rewards = np.array([[0.0, 1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 2.0, 0.0]])
    curve = reward_curve(rewards, every=every, agent="a")
    assert list(curve)[:2] == ["agent", "step"]
    assert curve["step"].tolist() == steps
    expected = rewards.cumsum(axis=1).mean(axis=0)
    assert curve["reward_mean"].tolist() == [expected[step - 1] for step in steps]
    assert set(curve["runs"]) == {2}


def test_bands_and_bars_show_intervals() -> None:
    figure, ((left, right),) = panels(1, 2, size=(4, 2))
    table = make_table(step=[1, 2], **mean_columns(reward=SAMPLES))
    low, high = mean_interval(SAMPLES)[1:]
    draw_curve(left, "step", table, "reward", color="tab:red")
    assert left.lines[0].get_ydata().tolist() == [3.0, 5.0]  # type: ignore[union-attr]
    drawn = left.collections[0].get_paths()[0].vertices
    assert {low[0], high[0]} <= set(np.asarray(drawn)[:, 1])
    one = make_table(**mean_columns(reward=SAMPLES[:, 0]))
    draw_level(left, (0, 9), one, "reward")
    assert left.lines[1].get_xdata().tolist() == [0, 9]  # type: ignore[union-attr]
    assert left.lines[1].get_ydata().tolist() == [3.0, 3.0]  # type: ignore[union-attr]
    points_with_bars(right, 4, mean_interval(SAMPLES[:, 0]), fmt="o")
    (bar,) = right.collections[0].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.asarray(bar), [[4, low[0]], [4, high[0]]])
    assert len(figure.axes) == 2


@dataclass(frozen=True)
class Methods(ExperimentConfig):
    """Two methods with three episodes each."""

    name: ClassVar[str] = "methods"
    title: ClassVar[str] = "Methods"

    @property
    def settings(self) -> Sequence[Setting]:
        return [Setting((method,), self.runs) for method in ("slow", "fast")]


def learn(config: Methods, method: str, number: int) -> Table:
    return {"steps": np.array([9.0, 4.0, 1.0]) * (1 + number) / (1 + (method == "fast"))}


def test_run_methods_estimates_each_episode() -> None:
    table = run_methods(learn, Methods(runs=2))
    assert table["method"].tolist() == ["slow"] * 3 + ["fast"] * 3
    assert table["episode"].tolist() == [1, 2, 3] * 2
    assert table["steps_mean"].tolist() == [13.5, 6.0, 1.5, 6.75, 3.0, 0.75]
    assert set(table["runs"]) == {2}
    lines = summarise_methods(table, "steps", (2, 5))
    assert lines[0] == ("method", "n", "episode 2", "episode 3")
    assert lines[1][:2] == ("slow", "2")
    assert lines[1][2].startswith("6.00 [")
    assert lines[1][2].endswith("(!)")


def test_run_methods_with_medians() -> None:
    table = run_methods(learn, Methods(runs=7), columns=median_columns)
    assert table["steps_median"].tolist() == [36.0, 16.0, 4.0, 18.0, 8.0, 2.0]
    (axes,) = plot_methods(table, "steps", title="Methods", ylabel="Steps").axes
    assert axes.get_title() == "Methods: median, n = 7, 95% interval"
    assert axes.lines[0].get_ydata().tolist() == [36.0, 16.0, 4.0]  # type: ignore[union-attr]


def test_plot_methods_shows_intervals_below_zero() -> None:
    table = run_methods(learn, Methods(runs=2))
    assert (table["steps_low"] < 0).any()
    figure = plot_methods(table, "steps", title="Methods", ylabel="Steps")
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    assert 0.01 < low < 0.75 < 13.5 < high
