"""Ranks of agents, ties, and halves of the runs."""

from __future__ import annotations

import numpy as np

from dynamaze.benchmarks.adaptation.ranking import rank


def test_ranks_without_ties() -> None:
    noise = np.random.default_rng(0).normal(size=100)  # shared: differences are exact
    found = rank(np.stack([noise + 2, noise, noise + 1]))
    assert found.first.tolist() == found.last.tolist() == [3, 1, 2]
    assert found.halves.tolist() == [[3, 1, 2]] * 2
    assert [found.text(at) for at in range(3)] == ["3", "1", "2"]
    assert not found.tied[0, 1]
    assert found.reversals == []


def test_ties_share_ranks() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=100)
    found = rank(np.stack([first, first + 0.1 * rng.normal(size=100), first + 5]))
    assert [found.text(at) for at in range(3)] == ["1-2", "1-2", "3"]
    assert found.tied[0, 1]


def test_equal_agents_are_tied() -> None:
    same = np.arange(8.0)
    found = rank(np.stack([same, same]))
    assert found.halves.tolist() == [[1, 1], [1, 1]]
    assert found.text(0) == found.text(1) == "1-2"


def test_reversal_is_told_unless_tied() -> None:
    """Even runs say the first is better by 1, odd ones by far that the second is."""
    first, second = np.zeros(40), np.tile([1.0, -1.5], 20)
    tied = rank(np.stack([first, second]))
    assert tied.halves.tolist() == [[1, 2], [2, 1]]
    assert tied.tied[0, 1]
    assert tied.reversals == []
    sure = rank(np.stack([first, np.tile([0.1, -10.0], 20)]))
    assert not sure.tied[0, 1]
    assert sure.reversals == [(0, 1)]


def test_many_agents_have_wider_intervals() -> None:
    """A difference of two agents that is certain for itself is not in a table of many."""
    noise = np.tile([-1.0, 1.0], 50)
    pair = np.stack([np.zeros(100), 0.25 + noise])  # 2.5 standard errors apart
    assert not rank(pair).tied[0, 1]
    others = np.stack([np.full(100, 100.0 + number) for number in range(20)])
    assert rank(np.concatenate([pair, others])).tied[0, 1]
