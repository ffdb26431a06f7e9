"""Prediction of actions, without learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import Agent, DynaQ, QLearning


def test_predict_leaves_learning_unchanged(same_bits: Callable[[Agent, Agent], None]) -> None:
    quiet = DynaQ("DynaMaze-v0", seed=3).learn(200)
    busy = DynaQ("DynaMaze-v0", seed=3).learn(100)
    for _ in range(50):
        busy.predict(np.arange(54))
        busy.action_probabilities(np.arange(54))
    same_bits(quiet, busy.learn(100))


@pytest.mark.parametrize("wrong", [54, -1, 2.5, [[1, 2]], "up"])
def test_predict_rejects_invalid_observation(wrong: Any) -> None:
    agent = DynaQ("DynaMaze-v0", seed=0)
    with pytest.raises(ValueError, match="expected one"):
        agent.predict(wrong)


def test_predict_breaks_ties_by_index() -> None:
    agent = QLearning("DynaMaze-v0", epsilon=1.0, initial_value=0.5, seed=0)
    actions, state = agent.predict(np.arange(54), state="kept", deterministic=True)
    assert (actions == 0).all()
    assert state == "kept"
    actions, _ = agent.predict(np.arange(54))
    assert set(actions.tolist()) == {0, 1, 2, 3}
    assert actions.dtype == agent.predict(np.zeros(0, dtype=np.int64))[0].dtype == np.int64


def test_action_probabilities_match_actions() -> None:
    agent = DynaQ("DynaMaze-v0", epsilon=0.3, seed=1).learn(2000)
    probabilities = agent.action_probabilities(np.arange(54))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    state, draws = 18, 5000
    drawn = [int(agent.predict(state)[0]) for _ in range(draws)]
    expected = probabilities[state]
    # 6 standard deviations: a false alarm about once in 10^8 of these fixed seeds.
    spread = 6 * np.sqrt(expected * (1 - expected) / draws)
    assert (abs(np.bincount(drawn, minlength=4) / draws - expected) <= spread).all()


@pytest.mark.parametrize("deterministic", [True, False])
def test_predict_batch_equals_single(deterministic: bool) -> None:
    one, other = (DynaQ("DynaMaze-v0", epsilon=0.5, seed=2).learn(500) for _ in range(2))
    batch = np.arange(54)
    together, _ = one.predict(batch, deterministic=deterministic)
    alone = [other.predict(each, deterministic=deterministic)[0] for each in batch]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(
        one.action_probabilities(batch),
        np.concatenate([one.action_probabilities(each) for each in batch]),
    )
