"""Scored models in compiled runs: the bits of the step-by-step agent, and a stale model."""

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
from dynamaze.benchmarks.harness.compiled_runs import run_many


def doubtful(env: gym.Env[Any, Any], seed: Any) -> DynaQ:
    """Dyna-Q with maximum likelihood that is scored, and a bonus for doubt."""
    states = int(env.observation_space.n)  # type: ignore[attr-defined]
    model = ScoredModel(MaximumLikelihood(states, 4, include_untried=True))
    return DynaQ(env, model=UncertaintyBonus(model, weight=0.04), learning_rate=1.0, seed=seed)


def test_the_compiled_scores_are_those_of_the_distributions(
    random_transitions: Callable[..., Transitions],
) -> None:
    transitions = random_transitions(np.random.default_rng(0), 300)
    # Of the others one is not compiled, and one counts faded visits.
    for name in ("latest_outcome", "maximum_likelihood", "forgetting_latest_outcome"):
        quick, slow = (ScoredModel(TABLE_MODELS[name](5, 3)) for _ in range(2))
        slow._is_compiled = False
        quick.update(transitions)
        slow.update(transitions)
        left, right = (flatten(each.scores) for each in (quick, slow))
        for key, value in left.items():
            np.testing.assert_allclose(value, right[key], rtol=1e-9, atol=1e-12)
        assert quick.get_state().keys() == slow.get_state().keys()


def test_a_compiled_run_is_the_agent_bit_for_bit() -> None:
    make = partial(doubtful, gym.make("DynaMazeBlocking-v0"))
    runs = run_many(make, runs=2, steps=1400, seed=5)
    for run, seed in enumerate(np.random.SeedSequence(5).spawn(2)):
        agent: Agent = make(seed=seed).learn(1400)
        np.testing.assert_array_equal(runs.q[run], agent.values.q)  # type: ignore[attr-defined]


def test_an_agent_with_scores_goes_on_from_its_file_with_the_same_bits(tmp_path: Path) -> None:
    agent = doubtful(gym.make("DynaMazeBlocking-v0"), 0).learn(1100)
    agent.save(tmp_path / "agent.npz")
    env = gym.make("DynaMazeBlocking-v0")
    other = DynaQ.load(tmp_path / "agent.npz", env, model=doubtful(env, 0).model)
    for each in (agent, other):
        each.learn(300)
    np.testing.assert_array_equal(agent.values.q, other.values.q)  # type: ignore[attr-defined]
    np.testing.assert_equal(agent.model.get_state(), other.model.get_state())


def test_a_stale_model_does_less_harm_where_it_is_scored() -> None:
    """Counts of a thousand steps keep promising the way that is blocked now."""
    env = gym.make("DynaMazeBlocking-v0")
    scored = run_many(partial(doubtful, env), runs=10, steps=3000, seed=0).rewards
    plain = []
    for seed in np.random.SeedSequence(0).spawn(10):
        agent = DynaQ(env, model="maximum_likelihood", learning_rate=1.0, seed=seed)
        agent.learn(3000, lambda step: plain.append(step.reward))
    assert scored[:, 1000:].sum() > 4 * np.reshape(plain, (10, 3000))[:, 1000:].sum()


def test_without_surprises_it_gives_the_bits_of_the_model_inside() -> None:
    plain = DynaQ("DynaMaze-v0", seed=3).learn(600)
    watched = DynaQ("DynaMaze-v0", model=ScoredModel(LatestOutcome(54, 4)), seed=3).learn(600)
    np.testing.assert_array_equal(plain.values.q, watched.values.q)  # type: ignore[attr-defined]
