"""Exploration bonus for uncertain pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.agents import (
    DynaQ,
    LatestOutcome,
    MaximumLikelihood,
    ScoredModel,
    Transitions,
    UncertaintyBonus,
)
from dynamaze.agents.core.rng import state_words
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models import model_for
from dynamaze.agents.models.table import sample_batch, update_batch

CORRIDOR = "S" + 23 * "." + "G"
BOX = spaces.Box(0, 10, (2,), np.float64)


def test_bonus_is_weight_times_uncertainty() -> None:
    model = UncertaintyBonus(MaximumLikelihood(6, 2), 6, 2, weight=0.5)
    for pair in [(0, 0, 0.0, 1, False)] * 3 + [(1, 1, 0.0, 0, False)]:
        model.update(one_transition(*pair))
    drawn = model.sample(100, np.random.default_rng(0))
    expected = np.where(drawn.observation == 0, 0.5 / np.sqrt(4), 0.5 / np.sqrt(2))
    np.testing.assert_allclose(drawn.reward, expected)


def test_bonus_gives_up_exact_rewards() -> None:
    inner = LatestOutcome(6, 2)
    knows = inner.promises | {"knows_uncertainty"}
    assert UncertaintyBonus(inner, weight=0.0).promises == knows
    assert UncertaintyBonus(inner, weight=0.5).promises == knows - {"exact_when_deterministic"}


def test_compiled_samples_equal_python(
    random_transitions: Callable[..., Transitions],
) -> None:
    model, compiled = (UncertaintyBonus(LatestOutcome(5, 3), weight=0.05) for _ in range(2))
    seen = random_transitions(np.random.default_rng(0), 60)
    model.update(seen)
    assert update_batch(compiled.table, 5, 3, seen) == -1
    np.testing.assert_equal(compiled.get_state(), model.get_state())
    one, other = (np.random.Generator(np.random.SFC64(1)) for _ in range(2))
    drawn = sample_batch(compiled.table, 200, 3, state_words(other))
    np.testing.assert_equal(tuple(model.sample(200, one)), drawn)


def test_uncertainty_of_model_is_used() -> None:
    class Knowing(LatestOutcome):
        def predict(self, observations: Any, actions: Any) -> Any:
            n = len(actions)
            return super().predict(observations, actions)._replace(known=np.full(n, 0.75))

    model = UncertaintyBonus(Knowing(2, 1), 2, 1, weight=1)
    np.testing.assert_allclose(model.pair_uncertainty(np.zeros(2, int), np.zeros(2, int)), 0.25)


@pytest.mark.parametrize("name", ["bayesian_linear", "gaussian_process"])
def test_learned_uncertainty_is_epistemic(name: str) -> None:
    inside: Any = model_for(name, BOX, 2, observes="vectors", seed=np.random.SeedSequence(0))
    model = UncertaintyBonus(inside, weight=0.5)
    rng = np.random.default_rng(0)
    at, actions = rng.uniform(0, 5, (150, 2)), rng.integers(2, size=150)
    moved = at + actions[:, None] + 0.3 * rng.normal(size=at.shape)
    model.update(Transitions(at, actions, at[:, 0], moved, np.zeros(150, dtype=np.bool_)))
    near, far = np.array([[2.5, 2.5]]), np.array([[9.5, 9.5]])
    one = np.ones(1, dtype=np.int64)
    assert 0 < model.pair_uncertainty(near, one)[0] < model.pair_uncertainty(far, one)[0] / 3
    plain, paid = (each.sample(80, np.random.default_rng(1)) for each in (inside, model))
    uncertainty = 1 - inside.predict(plain.observation, plain.action).known
    np.testing.assert_array_equal(paid.reward, plain.reward + 0.5 * uncertainty)


def test_scored_uncertainty_combines_both() -> None:
    inside: Any = model_for("bayesian_linear", BOX, 2, observes="vectors")
    model = ScoredModel(inside, change_rate=0.01)
    at, flag = np.array([[1.0, 1.0]]), np.zeros(1, dtype=np.bool_)
    zero = np.zeros(1, dtype=np.int64)
    for _ in range(20):
        model.update(Transitions(at, zero, np.ones(1), at + 1, flag))
    for _ in range(30):
        model.update(Transitions(at + 5, zero, np.zeros(1), at + 4, flag))
    changed = 1 - (1 - model.estimated_change_rate) ** 31
    known = inside.predict(at, zero).known[0]
    assert 0.5 < known < 1
    assert model.pair_uncertainty(at, zero)[0] == pytest.approx(1 - known * (1 - changed))
    assert UncertaintyBonus(model, weight=1).pair_uncertainty(at, zero) == model.pair_uncertainty(
        at, zero
    )


def first_goal(seed: int, name: str, weight: float | None, steps: int) -> int:
    """Return the real steps to the first goal in a corridor, or `steps` without one."""
    env = gym.make("DynaMaze-v0", layout=CORRIDOR, observation="coordinates", max_episode_steps=-1)
    model: Any = model_for(
        name, env.observation_space, 4, observes="discrete", include_untried=weight is not None
    )
    if weight is not None:
        model = UncertaintyBonus(model, weight=weight)
    agent = DynaQ(env, model=model, planning_steps=30, learning_rate=1.0, seed=seed)
    agent.learn(steps, lambda step: step.reward == 0)
    return agent.num_timesteps


def test_bonus_finds_goal_epsilon_greedy_misses() -> None:
    """In five of five runs with the bonus, and in none without; fixed seeds, so no false alarm.

    Simulated untried actions with reward 0 are not enough.
    """
    name, steps = "bayesian_linear", 300
    assert max(first_goal(seed, name, 0.04, steps) for seed in range(5)) < steps
    for weight in (None, 0.0):
        assert min(first_goal(seed, name, weight, steps) for seed in range(5)) == steps


def test_agent_with_bonus_on_vectors() -> None:
    env = gym.make("DynaMazeContinuous-v0", observation="position", action="discrete")
    inside = model_for("bayesian_linear", env.observation_space, 4, observes="vectors")
    model = UncertaintyBonus(inside, weight=0.04)
    agent = DynaQ(env, model=model, values="tile_coding", seed=0).learn(60)
    seen = agent.encoder.many(env.observation_space.sample())[0]
    assert agent.values.values(np.vstack((seen, [[3.0, 0.5]]))).max() > 0  # there was no reward yet
    with pytest.raises(ValueError, match="weight"):
        UncertaintyBonus(inside, weight=-1)
