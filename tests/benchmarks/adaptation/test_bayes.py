"""Bayes-optimal return in 3 x 3 mazes: the prior, the search, agents beside it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.adaptation import bayes as experiment
from dynamaze.benchmarks.adaptation.bayes import (
    START_CLASSES,
    BayesConfig,
    BeliefSearch,
    Hidden,
    bayes_optimal_return,
    belief_of,
    prior,
    run,
)
from dynamaze.envs import DynaMazeAdaptationEnv

TOLERANCE = 1e-8
"""Beliefs are rounded to 1e-10 at each of a few steps."""


def expectimax(search: BeliefSearch, step: int, cell: int, weights: dict[Hidden, float]) -> float:
    """Return the value of unnormalised weights, without rounding and without stored values."""
    if step == search._steps:
        return 0.0
    values = []
    for action in range(4):
        observed: dict[tuple[int, bool], dict[Hidden, float]] = {}
        for hidden, weight in weights.items():
            there = search._moves(hidden)[cell][action]
            group = observed.setdefault((there, there == hidden.goal), {})
            for after, share in search._successors(step + 1, hidden, there):
                group[after] = group.get(after, 0.0) + weight * share
        values.append(
            sum(
                reward * sum(group.values())
                + expectimax(search, step + 1, search._start if reward else there, group)
                for (there, reward), group in observed.items()
            )
        )
    return max(values)


@pytest.mark.parametrize("start", START_CLASSES)
def test_search_equals_plain_expectimax(start: tuple[int, int]) -> None:
    search, weights = BeliefSearch(start, 5), prior(start)
    total = sum(weights.values())
    expected = expectimax(search, 0, search._start, weights) / total
    assert search.optimal_return() == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(("one", "other"), [((0, 0), (2, 0)), ((0, 1), (1, 2))])
def test_starts_are_alike(one: tuple[int, int], other: tuple[int, int]) -> None:
    values = [BeliefSearch(start, 6).optimal_return() for start in (one, other)]
    assert values[0] == pytest.approx(values[1], abs=TOLERANCE)


def test_prior_is_distribution_of_levels() -> None:
    """Of 2000 levels; the bound is 5 standard errors, with a false-alarm rate below 1e-5 in all."""
    levels = 2000
    env = DynaMazeAdaptationEnv(3, observation="index", levels=levels)
    counts: Counter[Any] = Counter()
    for level in range(levels):
        layout = env.maze_config.levels.layout(level)  # type: ignore[union-attr]
        counts[layout.starts[0], experiment.hidden_of(layout, changed=False)] += 1
    for start, share in {(0, 0): 1 / 7, (2, 2): 1 / 7, (0, 1): 3 / 28, (1, 2): 3 / 28}.items():
        for hidden, probability in belief_of(prior(start)):
            expected = share * probability
            deviation = np.sqrt(expected * (1 - expected) / levels)
            assert abs(counts[start, hidden] / levels - expected) < 5 * deviation
    assert sum(START_CLASSES.values()) == 1


def test_changes_are_those_of_environment() -> None:
    """A corridor of 7 cells in a U: a shortcut saves 4 steps, or the goal moves to 4 or 5 cells."""
    search = BeliefSearch((0, 0), 8)
    walls = (False, False, False, True, True, False, False, False, False)
    found = dict(search._enumerate_changes(Hidden(walls, 6, False), 1))
    opened = Hidden((*walls[:3], False, *walls[4:]), 6, True)
    assert found.pop(opened) == pytest.approx(0.25)
    assert {hidden.goal for hidden in found} == {2, 5, 7, 8}  # not the start, nor the agent's cell
    assert {hidden.walls for hidden in found} == {walls}
    assert list(found.values()) == pytest.approx([0.75 / 4] * 4)
    near = dict(search._enumerate_changes(Hidden(walls, 5, False), 0))  # no shortcut saves 4
    assert list(near.values()) == pytest.approx([1 / 5] * 5)


def test_no_agent_beats_search() -> None:
    """The expert in 120 runs, with a margin of 5 standard errors; the oracle sees more."""
    config = BayesConfig(runs=120, steps=6, agents=("expert", "oracle"))
    table = run(config)["adaptation_bayes"]
    rewards = {agent: table["reward"][table["agent"] == agent] for agent in ("expert", "oracle")}
    best = table["reward"][table["agent"] == "bayes"].item()
    assert best == bayes_optimal_return(6)
    error = rewards["expert"].std() / np.sqrt(120)
    assert 0.3 * best < rewards["expert"].mean() < best + 5 * error
    assert rewards["oracle"].mean() > best
    lines = experiment.summary({config.name: table}, config)
    assert [line[0] for line in lines[1:]] == ["Bayes-optimal", "expert (MapExplorer)", "oracle"]
    assert len(experiment.plot({config.name: table}, config).axes) == 1
