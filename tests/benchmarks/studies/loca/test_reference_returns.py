"""Exact reference returns of the LoCA environments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.studies.loca.evaluation import (
    EpisodeEvaluator,
)
from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol
from dynamaze.benchmarks.studies.loca.reference_returns import (
    discretised_corridor,
    exact_mdps,
    reference_returns,
)
from dynamaze.envs.loca.tasks import ZONE

from .example_agents import Threshold


@pytest.mark.parametrize(
    ("slip", "task", "optimum", "other"),
    [
        (0.25, "A", 2.596, 1.745),
        (0.25, "B", 1.295, 0.873),
        (0.0, "A", 2.846, 1.543),
        (0.0, "B", 1.423, 0.771),
    ],
)
def test_grid_reference_returns(slip: float, task: str, optimum: float, other: float) -> None:
    protocol = LoCAProtocol(options={"slip_probability": slip})
    found = reference_returns(exact_mdps(protocol.make_env()), task, 0.97, 40)
    assert found == pytest.approx((optimum, other), abs=5e-4)


@pytest.mark.parametrize("task", ["A", "B"])
def test_point_references_match_episodes(task: str) -> None:
    protocol = LoCAProtocol("continuous", evaluation_episodes=800, options={"noise": 0.1})
    mdps = {name: discretised_corridor(name, 1.0, 0.1) for name in ("A", "B")}
    references = reference_returns(mdps, task, 0.97, 40)
    for name, value in ((task, references.optimum), ("AB"[task == "A"], references.other)):
        best = mdps[name].optimal_action_values(0.97).argmax(axis=1)
        first = int(np.flatnonzero(best == 1)[0])
        column = 1 + first / 20
        found = EpisodeEvaluator(protocol, 3)(Threshold(column), task)
        # Returns deviate by less than 0.75: a mean of 800 is beyond 6 deviations once in 5e8 times.
        assert found == pytest.approx(value, abs=6 * 0.75 / 800**0.5)


def test_more_slices_change_nothing() -> None:
    def references(slices: int) -> list[Any]:
        mdps = {task: discretised_corridor(task, 1.0, 0.1, slices) for task in ("A", "B")}
        return [reference_returns(mdps, task, 0.97, 40) for task in ("A", "B")]

    np.testing.assert_allclose(references(5), references(10), atol=0.03)
    np.testing.assert_allclose(references(10), references(20), atol=0.01)


def test_discretised_corridor_is_valid() -> None:
    mdp = discretised_corridor("A", 1.0, 0.3, 4)
    np.testing.assert_allclose(mdp.probability.sum(axis=2), 1.0, atol=1e-12)
    assert mdp.probability.min() >= 0
    zone = (ZONE - 1) * 4
    happens = mdp.probability[zone:] > 0
    assert (mdp.reward[zone:][happens] != 2).all()  # from the zone T2 cannot be reached
    stays = happens & ~mdp.terminated[zone:]
    assert (mdp.next_state[zone:][stays] >= zone).all()
    assert set(np.unique(mdp.reward)) == {0.0, 2.0, 4.0}
