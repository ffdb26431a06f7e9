"""Copies of a model's distribution: the nodes of their lists, and the models that need none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from dynamaze.agents.core.kernels import rules, sample_outcome
from dynamaze.agents.models import LatestOutcome
from dynamaze.agents.models.protocol import Outcomes
from dynamaze.agents.models.table_copy import TableCopy, has_lookups


def outcomes(*following: int) -> Outcomes:
    size = len(following)
    nothing = np.zeros(size)
    return Outcomes(np.array(following), np.full(size, 1 / size), nothing, nothing.astype(bool))


def test_put_uses_nodes_again() -> None:
    copy = TableCopy(4, 1)
    for number, following in enumerate(((1,), (2,), (3, 0), (2,), (1, 3)), 1):
        copy.put(0, outcomes(*following))
        assert sorted(copy.distribution(0, 0).next_observation) == sorted(following)
        assert copy.table.used[0] == (1 if number < 3 else 2)  # nodes: those of two outcomes


def test_lookups_need_all_rules() -> None:
    class Sampler(NamedTuple):
        """Record of a model that samples, but has neither probabilities nor backups."""

        next_state: int

    rules(Sampler, sample_outcome=sample_outcome)
    model: Any = SimpleNamespace(capabilities={"compiled"}, table=Sampler(0))
    assert not has_lookups(model)
    assert has_lookups(LatestOutcome(2, 1))
