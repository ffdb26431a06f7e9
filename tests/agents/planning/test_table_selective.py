"""Selective planning: pairs of low confidence are learned from real steps alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import (
    PLANNERS,
    Agent,
    DynamicProgramming,
    DynaQ,
    DynaQPlus,
    LatestOutcome,
    PrioritisedSweeping,
    ScoredModel,
    TableValues,
    TimeBonus,
    UncertaintyBonus,
    UniformPlanning,
)
from dynamaze.agents.core.kernels import CONFIDENCE_THRESHOLD, is_confident
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.planning import make_planning
from dynamaze.agents.planning.uniform import sample_confident
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many

STATES, ACTIONS = 4, 2
CHAIN = [one_transition(s, 0, float(s == 2), s + 1, s == 2) for s in range(3)]
"""Three steps to a terminal transition with reward 1."""


def unconfident_model(*pairs: int, share: float = 0.0) -> ScoredModel:
    """Return a model of the chain with a low confidence in some pairs."""
    model = ScoredModel(LatestOutcome(STATES, ACTIONS))
    for each in CHAIN:
        model.update(each)
    model.scores.pair_confidence[list(pairs)] = share
    return model


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_planner_skips_unconfident_pairs(name: str) -> None:
    assert len(PLANNERS) == 6
    for share in (0.0, 0.49, 0.51):
        model = unconfident_model(2, share=share)
        planning = make_planning(name, 40, 0.5)
        values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.5)
        rng = np.random.Generator(np.random.SFC64(0))
        for each in CHAIN:
            planning.record_transition(values, model, each)
            for _ in range(20):
                planning.plan(values, model, rng)
        assert values.q[2, 0] == 1
        # Pair 2 is action 0 in state 1.
        assert values.q[1, 0] == (0.5 if share >= CONFIDENCE_THRESHOLD else 0.0)
        assert values.q[0, 0] == (0.25 if share >= CONFIDENCE_THRESHOLD else 0.0)


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_unconfident_pair_learns_directly(name: str) -> None:
    planning, model = make_planning(name, 10, 0.1), unconfident_model(2)
    learns = [planning.learns_from(model, each) for each in CHAIN]
    always = planning.learns_directly
    assert learns == [always, True, always]
    for wrapped in (
        TimeBonus(model, STATES, ACTIONS, kappa=0.0),
        UncertaintyBonus(model, weight=0.0),
    ):
        assert [planning.learns_from(wrapped, each) for each in CHAIN] == learns
    plain = LatestOutcome(STATES, ACTIONS)
    assert planning.learns_from(plain, CHAIN[1]) == always


def test_is_confident_reads_wrapped_model() -> None:
    model = unconfident_model(2)
    for each in (
        model,
        TimeBonus(model, STATES, ACTIONS, kappa=0.0),
        UncertaintyBonus(model, weight=0.0),
    ):
        assert [is_confident(each.table, pair) for pair in range(4)] == [True, True, False, True]
    assert is_confident(LatestOutcome(STATES, ACTIONS).table, 2)


@pytest.mark.parametrize("priority", ["error", "change"])
def test_sweeping_continues_from_direct_updates(priority: str) -> None:
    model, planning = unconfident_model(2), PrioritisedSweeping(10, priority=priority)
    values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.5)
    rng = np.random.Generator(np.random.SFC64(0))
    for each in CHAIN:
        planning.record_transition(values, model, each)
        planning.plan(values, model, rng)
    assert values.q[:3, 0].tolist() == [0, 0, 1]
    values.update(CHAIN[1])
    planning.record_transition(values, model, CHAIN[1])
    planning.plan(values, model, rng)
    assert values.q[:3, 0].tolist() == [0.25, 0.5, 1]


def test_sample_confident_drops_unconfident_pairs() -> None:
    def drawn(model: Any, planning_steps: int = 9) -> Any:
        return sample_confident(model, planning_steps, np.random.default_rng(0))

    model = unconfident_model(0, 2, 4)  # the model samples nevertheless
    everything = model.sample(9, np.random.default_rng(0))
    assert drawn(model).action.size == 0
    model.scores.pair_confidence[2] = 1.0
    kept = drawn(model)  # pairs of low confidence are redrawn less often now
    assert set(kept.observation) == {1}
    assert drawn(model, 0) is None
    plain = LatestOutcome(STATES, ACTIONS)
    plain.update(CHAIN[0])
    assert drawn(plain).action.size == everything.action.size


def make_agent(env: Any, planning: Any, seed: Any) -> Agent:
    """Return an agent with a deterministic model of a stochastic environment."""
    model = ScoredModel(LatestOutcome(54, 4), count_check=True)
    return DynaQ(env, model=model, planning=planning(), initial_value=1.0, seed=seed)


@pytest.mark.parametrize(
    "planning", [partial(UniformPlanning, 5), partial(PrioritisedSweeping, 5), DynamicProgramming]
)
def test_compiled_run_equals_agent(planning: Any) -> None:
    env = gym.make("DynaMazeBlocking-v0", slip_probability=0.2)
    make = partial(make_agent, env, planning)
    runs = run_many(make, runs=1, steps=1300, seed=5)
    (seed,) = np.random.SeedSequence(5).spawn(1)
    agent: Any = make(seed=seed).learn(1300)
    assert agent.model.scores.pair_confidence.min() < CONFIDENCE_THRESHOLD
    np.testing.assert_array_equal(runs.q[0], agent.values.q)


def test_time_bonus_forwards_confidence() -> None:
    env = gym.make("DynaMazeBlocking-v0", slip_probability=0.2)

    def make(seed: Any) -> Agent:
        inside = ScoredModel(LatestOutcome(54, 4, include_untried=True))
        return DynaQPlus(env, model=inside, seed=seed)

    runs = run_many(make, runs=1, steps=1300, seed=5)
    (seed,) = np.random.SeedSequence(5).spawn(1)
    agent: Any = make(seed).learn(1300)
    assert agent.model.confidence() == agent.model.model.confidence() < 1
    np.testing.assert_array_equal(runs.q[0], agent.values.q)
    bonus = TimeBonus(LatestOutcome(STATES, ACTIONS), STATES, ACTIONS, kappa=0.0)
    assert bonus.confidence() == 1
    assert bonus.confidence(np.array([0, 1]), np.array([0, 0])).tolist() == [1, 1]
