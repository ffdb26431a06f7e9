"""Scored models in compiled runs, against the step-by-step agent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401
from dynamaze.agents import (
    TABLE_MODELS,
    Agent,
    DynaQ,
    LatestOutcome,
    MaximumLikelihood,
    ScoredModel,
    Transitions,
    UncertaintyBonus,
)
from dynamaze.agents.core.records import flatten
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many


def scored_agent(env: gym.Env[Any, Any], seed: Any) -> DynaQ:
    """Return Dyna-Q with a scored maximum-likelihood model and an uncertainty bonus."""
    states = int(env.observation_space.n)  # type: ignore[attr-defined]
    model = ScoredModel(MaximumLikelihood(states, 4, include_untried=True))
    return DynaQ(env, model=UncertaintyBonus(model, weight=0.04), learning_rate=1.0, seed=seed)


def test_compiled_scores_equal_distributions(
    random_transitions: Callable[..., Transitions],
) -> None:
    transitions = random_transitions(np.random.default_rng(0), 300)
    # Of the others one is not compiled, and one discounts its counts.
    for name in ("latest_outcome", "maximum_likelihood", "forgetting_latest_outcome"):
        quick, slow = (ScoredModel(TABLE_MODELS[name](5, 3)) for _ in range(2))
        slow._is_compiled = False
        quick.update(transitions)
        slow.update(transitions)
        left, right = (flatten(each.scores) for each in (quick, slow))
        for key, value in left.items():
            np.testing.assert_allclose(value, right[key], rtol=1e-9, atol=1e-12)
        assert quick.get_state().keys() == slow.get_state().keys()


def test_compiled_run_equals_agent() -> None:
    make = partial(scored_agent, gym.make("DynaMazeBlocking-v0"))
    runs = run_many(make, runs=2, steps=1400, seed=5)
    for run, seed in enumerate(np.random.SeedSequence(5).spawn(2)):
        agent: Agent = make(seed=seed).learn(1400)
        np.testing.assert_array_equal(runs.q[run], agent.values.q)  # type: ignore[attr-defined]


def test_scored_agent_resumes_bit_identical(tmp_path: Path) -> None:
    agent = scored_agent(gym.make("DynaMazeBlocking-v0"), 0).learn(1100)
    agent.save(tmp_path / "agent.npz")
    env = gym.make("DynaMazeBlocking-v0")
    other = DynaQ.load(tmp_path / "agent.npz", env, model=scored_agent(env, 0).model)
    for each in (agent, other):
        each.learn(300)
    np.testing.assert_array_equal(agent.values.q, other.values.q)  # type: ignore[attr-defined]
    np.testing.assert_equal(agent.model.get_state(), other.model.get_state())


def test_scored_stale_model_harms_less() -> None:
    """Counts of a thousand steps keep predicting the path that is now blocked."""
    env = gym.make("DynaMazeBlocking-v0")
    scored = run_many(partial(scored_agent, env), runs=10, steps=3000, seed=0).rewards
    plain = []
    for seed in np.random.SeedSequence(0).spawn(10):
        agent = DynaQ(env, model="maximum_likelihood", learning_rate=1.0, seed=seed)
        agent.learn(3000, lambda step: plain.append(step.reward))
    assert scored[:, 1000:].sum() > 4 * np.reshape(plain, (10, 3000))[:, 1000:].sum()


def test_scored_equals_inner_without_surprise() -> None:
    plain = DynaQ("DynaMaze-v0", seed=3).learn(600)
    watched = DynaQ("DynaMaze-v0", model=ScoredModel(LatestOutcome(54, 4)), seed=3).learn(600)
    np.testing.assert_array_equal(plain.values.q, watched.values.q)  # type: ignore[attr-defined]
