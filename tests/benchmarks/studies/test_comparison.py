"""Statistics of a comparison's table."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.statistics import probability_of_improvement
from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.studies import comparison
from dynamaze.benchmarks.studies.comparison import (
    difference,
    improvement,
    interquartile_reward,
    normalised_rewards,
)


def table_of(rewards: dict[str, list[list[float]]], best: float = 2.0) -> Table:
    """Return the table of agents with rewards (environments, runs)."""
    rows = [
        (agent, f"maze {env}", run, reward)
        for agent, each in rewards.items()
        for env, own in enumerate(each)
        for run, reward in enumerate(own)
        if not np.isnan(reward)  # a failed run
    ]
    agents, envs, runs, values = (np.array(column) for column in zip(*rows, strict=True))
    bests = np.full(len(values), best)
    return {"agent": agents, "environment": envs, "run": runs, "reward": values, "best": bests}


def test_difference_by_sample() -> None:
    table = table_of({"a": [[3.0, 5.0, 4.0], [1.0, 1.0, 4.0]], "b": [[1.0] * 3, [0.0] * 3]})
    over_runs = difference(table, "a", "b")
    assert (over_runs.mean, over_runs.n) == (2.5, 3)  # of 1.5, 2.5 and 3.5
    # Student's quantile for 2 degrees of freedom
    assert over_runs.high == pytest.approx(2.5 + 4.302653 / np.sqrt(3))
    over_envs = difference(table, "a", "b", sample="environments")
    assert (over_envs.mean, over_envs.n) == (2.5, 2)


def test_difference_leaves_failed_runs_out() -> None:
    table = table_of({"a": [[3.0, np.nan, 4.0, 6.0]], "b": [[1.0, 9.0, 1.0, np.nan]]})
    found = difference(table, "a", "b")
    assert (found.mean, found.n) == (2.5, 2)


def test_improvement_of_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    samples = rng.integers(9, size=(2, 2, 200)) + np.array([0, 1])[:, None, None]
    table = table_of(dict(zip("ab", samples.tolist(), strict=True)))
    exact = probability_of_improvement(samples[1].T, samples[0].T)
    small = improvement(table, "b", "a")
    monkeypatch.setattr(comparison, "MOST_BOOTSTRAP_RUNS", 100)
    large = improvement(table, "b", "a")
    assert small.mean == pytest.approx(float(exact))
    assert large.mean == pytest.approx(float(exact))
    assert large[1:3] == pytest.approx(small[1:3], abs=0.01)


def test_improvement_is_never_certain() -> None:
    found = improvement(table_of({"a": [[5.0] * 20], "b": [[1.0] * 20]}), "a", "b")
    assert found.mean == 1.0
    assert found.low == pytest.approx(0.84, abs=0.01)  # of 20 wins in 20 runs


def test_normalised_rewards() -> None:
    table = table_of({"a": [[1.0, 2.0, np.nan], [0.0, 1.0, 2.0]]})
    envs, scores = normalised_rewards(table, "a")
    assert envs == ["maze 0", "maze 1"]
    assert scores.tolist() == [[0.5, 0.0], [1.0, 0.5]]
    assert interquartile_reward(table, "a").mean == 0.5
    with pytest.raises(ValueError, match="no environment of 'a' has a known"):
        interquartile_reward({**table, "best": np.full(5, np.nan)}, "a")
