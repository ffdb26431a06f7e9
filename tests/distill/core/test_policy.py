"""The policy protocol and agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, DynaQPlus, QLearning
from dynamaze.distill import Policy, agreement


class Always:
    """Policy that takes one action."""

    def __init__(self, action: int, actions: int = 4) -> None:
        self.row = np.eye(actions)[action]

    def action_probabilities(self, observations: Any) -> np.ndarray:
        return np.tile(self.row, (len(observations), 1))


@pytest.mark.parametrize("agent", [QLearning, DynaQ, DynaQPlus])
def test_policy_protocol_holds_for_agents(agent: Any) -> None:
    policy = agent("DynaMaze-v0", seed=0).learn(200)
    assert isinstance(policy, Policy)
    assert agreement(policy, policy, np.arange(54)) == 1.0
    assert not isinstance(object(), Policy)


def test_agreement_is_fraction_of_equal_preferences() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0).learn(500)
    observations = np.arange(54)
    best = agent.values.q.argmax(axis=1)  # type: ignore[attr-defined]
    for action in range(4):
        expected = (best == action).mean()
        assert agreement(agent, Always(action), observations) == pytest.approx(expected)


def test_agreement_ties_prefer_first() -> None:
    untrained = QLearning("DynaMaze-v0", seed=0)
    assert agreement(untrained, Always(0), np.arange(54)) == 1.0
    assert agreement(untrained, Always(1), np.arange(54)) == 0.0


def test_agreement_refuses_no_observations() -> None:
    with pytest.raises(ValueError, match="at least one"):
        agreement(Always(0), Always(0), np.zeros(0, dtype=np.int64))


def test_agreement_refuses_other_spaces() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3, 5\)"):
        agreement(Always(0), Always(0, 5), np.arange(3))
