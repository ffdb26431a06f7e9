"""Dyna-Q+'s bonus in planning: kappa times the square root of tau."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome, TimeBonus, Transitions
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models import TABLE_MODELS
from dynamaze.agents.models.table import update_batch


def test_bonus_is_kappa_root_tau() -> None:
    model = TimeBonus(LatestOutcome(2, 2, include_untried=True), 2, 2, kappa=0.01)
    for _ in range(9):
        model.update(one_transition(0, 0, 0.5, 1, False))
    model.update(one_transition(0, 1, 0.25, 1, False))
    tau = {(0, 0): 1, (0, 1): 0}
    reward = {(0, 0): 0.5, (0, 1): 0.25}
    sample = model.sample(200, np.random.default_rng(0))
    assert set(zip(sample.observation, sample.action, strict=True)) == set(tau)
    for state, action, found in zip(sample.observation, sample.action, sample.reward, strict=True):
        assert found == reward[state, action] + 0.01 * np.sqrt(tau[state, action])


def test_compiled_update_records_visit() -> None:
    model = TimeBonus(LatestOutcome(2, 2), 2, 2, kappa=0.01)
    state, action = np.array([0, 1, 1]), np.array([0, 1, 1])
    seen = Transitions(state, action, np.zeros(3), state, np.zeros(3, dtype=np.bool_))
    assert update_batch(model.table, 2, 2, seen) == -1
    assert model.table.times.clock[0] == 3
    assert model.table.times.last_tried.tolist() == [1, 0, 0, 3]


def test_bonus_added_to_sampled_rewards(model_name: str) -> None:
    rng = np.random.default_rng(0)
    plain, inside = (TABLE_MODELS[model_name](6, 2, include_untried=True) for _ in range(2))
    model = TimeBonus(inside, 6, 2, kappa=0.25)
    last: dict[tuple[int, int], int] = {}
    for step in range(1, 200):
        pair = int(rng.integers(6)), int(rng.integers(2))
        for each in (plain, model):
            each.update(one_transition(*pair, rng.random(), int(rng.integers(6)), False))
        last[pair] = step
    plain.set_state(inside.get_state())
    drawn, with_bonus = (each.sample(300, np.random.default_rng(1)) for each in (plain, model))
    bonus = [
        0.25 * np.sqrt(199 - last.get((int(s), int(a)), 0))
        for s, a in zip(drawn.observation, drawn.action, strict=True)
    ]
    np.testing.assert_array_equal(with_bonus.reward, drawn.reward + bonus)
    for name in ("observation", "action", "next_observation", "terminated"):
        np.testing.assert_array_equal(getattr(with_bonus, name), getattr(drawn, name))


@pytest.mark.parametrize("reward", [np.array([0, 1]), np.array([0.0, 1.0])])
def test_bonus_keeps_inner_memory(reward: Any) -> None:
    class Fixed:
        capabilities = frozenset({"sample"})

        def update(self, transitions: Transitions) -> None:
            pass

        def sample(self, n: int, rng: np.random.Generator) -> Transitions:
            return memory

    pairs = np.array([0, 1])
    memory = Transitions(pairs, pairs, reward, pairs, np.array([False, False]))
    memory.reward.flags.writeable = False
    model = TimeBonus(Fixed(), 2, 2, kappa=0.5)  # type: ignore[arg-type]  # needs no state here
    for _ in range(9):
        model.update(one_transition(0, 1, 0.0, 0, False))
    for _ in range(2):
        np.testing.assert_array_equal(model.sample(2, np.random.default_rng(0)).reward, [1.5, 2.5])


def test_bonus_restored_from_state() -> None:
    model, other = (TimeBonus(LatestOutcome(2, 2), 2, 2, kappa=0.5) for _ in range(2))
    for _ in range(4):
        model.update(one_transition(0, 1, 0.0, 0, False))
        model.update(one_transition(1, 0, 1.0, 1, True))
    state = model.get_state()
    other.set_state(state)
    model.update(one_transition(1, 1, 0.0, 0, False))
    other.update(one_transition(1, 1, 0.0, 0, False))
    left, right = (each.sample(30, np.random.default_rng(2)) for each in (model, other))
    np.testing.assert_equal(left, right)
    assert state["times.clock"] == 8  # it was a copy


def test_bonus_forwards_capabilities(model_name: str) -> None:
    inside = TABLE_MODELS[model_name](2, 2)
    assert TimeBonus(inside, 2, 2, kappa=0).capabilities == inside.capabilities


@pytest.mark.parametrize("kappa", [-1e-9, float("inf"), float("nan")])
def test_bonus_rejects_invalid_kappa(kappa: float) -> None:
    with pytest.raises(ValueError, match="kappa"):
        TimeBonus(LatestOutcome(2, 2), 2, 2, kappa=kappa)
