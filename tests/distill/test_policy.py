"""What a teacher and a student have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, DynaQPlus, QLearning
from dynamaze.distill import Policy, agreement


class Always:
    """Takes one action."""

    def __init__(self, action: int, actions: int = 4) -> None:
        self.row = np.eye(actions)[action]

    def action_probabilities(self, observations: Any) -> np.ndarray:
        return np.tile(self.row, (len(observations), 1))


@pytest.mark.parametrize("agent", [QLearning, DynaQ, DynaQPlus])
def test_every_agent_is_a_policy(agent: Any) -> None:
    policy = agent("DynaMaze-v0", seed=0).learn(200)
    assert isinstance(policy, Policy)
    assert agreement(policy, policy, np.arange(54)) == 1.0
    assert not isinstance(object(), Policy)


def test_agreement_is_the_share_of_equal_preferences() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0).learn(500)
    observations = np.arange(54)
    best = agent.values.q.argmax(axis=1)  # type: ignore[attr-defined]
    for action in range(4):
        expected = (best == action).mean()
        assert agreement(agent, Always(action), observations) == pytest.approx(expected)


def test_of_equal_probabilities_the_first_counts_as_preferred() -> None:
    untaught = QLearning("DynaMaze-v0", seed=0)
    assert agreement(untaught, Always(0), np.arange(54)) == 1.0
    assert agreement(untaught, Always(1), np.arange(54)) == 0.0


def test_no_observations_are_nothing_to_agree_on() -> None:
    with pytest.raises(ValueError, match="at least one"):
        agreement(Always(0), Always(0), np.zeros(0, dtype=np.int64))


def test_policies_of_other_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3, 5\)"):
        agreement(Always(0), Always(0, 5), np.arange(3))
