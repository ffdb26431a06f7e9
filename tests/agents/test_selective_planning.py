"""Pairs that a model deserves no trust for are not planned with, but learned from real steps."""

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
from dynamaze.agents.core.shares import TRUSTED, is_trusted
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.planning import make_planning
from dynamaze.agents.planning.base import trusted_only
from dynamaze.benchmarks.harness.compiled_runs import run_many

STATES, ACTIONS = 4, 2
CHAIN = [one_transition(s, 0, float(s == 2), s + 1, s == 2) for s in range(3)]
"""Three steps to an end that pays 1."""


def distrusting(*pairs: int, share: float = 0.0) -> ScoredModel:
    """A model of the chain that deserves so little of some pairs."""
    model = ScoredModel(LatestOutcome(STATES, ACTIONS))
    for each in CHAIN:
        model.update(each)
    model.scores.pair_share[list(pairs)] = share
    return model


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_a_planner_leaves_alone_what_is_not_trusted(name: str) -> None:
    assert len(PLANNERS) == 6
    for share in (0.0, 0.49, 0.51):
        model = distrusting(2, share=share)
        planning = make_planning(name, 40, 0.5)
        values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.5)
        rng = np.random.Generator(np.random.SFC64(0))
        for each in CHAIN:
            planning.note(values, model, each)
            for _ in range(20):
                planning.plan(values, model, rng)
        assert values.q[2, 0] == 1
        # Pair 2 is action 0 in state 1.
        assert values.q[1, 0] == (0.5 if share >= TRUSTED else 0.0)
        assert values.q[0, 0] == (0.25 if share >= TRUSTED else 0.0)


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_its_value_is_learned_from_real_steps(name: str) -> None:
    planning, model = make_planning(name, 10, 0.1), distrusting(2)
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


def test_compiled_code_asks_the_model_inside() -> None:
    model = distrusting(2)
    for each in (
        model,
        TimeBonus(model, STATES, ACTIONS, kappa=0.0),
        UncertaintyBonus(model, weight=0.0),
    ):
        assert [is_trusted(each.table, pair) for pair in range(4)] == [True, True, False, True]
    assert is_trusted(LatestOutcome(STATES, ACTIONS).table, 2)


@pytest.mark.parametrize("priority", ["error", "change"])
def test_sweeping_goes_on_from_what_was_learned_directly(priority: str) -> None:
    model, planning = distrusting(2), PrioritisedSweeping(10, priority=priority)
    values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.5)
    rng = np.random.Generator(np.random.SFC64(0))
    for each in CHAIN:
        planning.note(values, model, each)
        planning.plan(values, model, rng)
    assert values.q[:3, 0].tolist() == [0, 0, 1]
    values.update(CHAIN[1])
    planning.note(values, model, CHAIN[1])
    planning.plan(values, model, rng)
    assert values.q[:3, 0].tolist() == [0.25, 0.5, 1]


def test_draws_of_distrusted_pairs_are_dropped() -> None:
    model = distrusting(0, 2, 4)  # something is drawn all the same
    drawn = model.sample(9, np.random.default_rng(0))
    assert trusted_only(model, drawn).action.size == 0
    model.scores.pair_share[2] = 1.0
    kept = trusted_only(model, drawn)
    np.testing.assert_array_equal(kept.observation, drawn.observation[drawn.observation == 1])
    assert trusted_only(LatestOutcome(STATES, ACTIONS), drawn) is drawn


def optimist(env: Any, planning: Any, seed: Any) -> Agent:
    """One that has a reason to distrust: a world of chance, and a model that knows none."""
    model = ScoredModel(LatestOutcome(54, 4), second_opinion=True)
    return DynaQ(env, model=model, planning=planning(), initial_value=1.0, seed=seed)


@pytest.mark.parametrize(
    "planning", [partial(UniformPlanning, 5), partial(PrioritisedSweeping, 5), DynamicProgramming]
)
def test_a_compiled_run_is_the_agent_bit_for_bit(planning: Any) -> None:
    env = gym.make("DynaMazeBlocking-v0", slip_probability=0.2)
    make = partial(optimist, env, planning)
    runs = run_many(make, runs=1, steps=1300, seed=5)
    (seed,) = np.random.SeedSequence(5).spawn(1)
    agent: Any = make(seed=seed).learn(1300)
    assert agent.model.scores.pair_share.min() < TRUSTED
    np.testing.assert_array_equal(runs.q[0], agent.values.q)


def test_a_bonus_for_time_hands_trust_on() -> None:
    env = gym.make("DynaMazeBlocking-v0", slip_probability=0.2)

    def make(seed: Any) -> Agent:
        inside = ScoredModel(LatestOutcome(54, 4, include_untried=True))
        return DynaQPlus(env, model=inside, seed=seed)

    runs = run_many(make, runs=1, steps=1300, seed=5)
    (seed,) = np.random.SeedSequence(5).spawn(1)
    agent: Any = make(seed).learn(1300)
    assert agent.model.share_of_planning == agent.model.model.share_of_planning < 1
    np.testing.assert_array_equal(runs.q[0], agent.values.q)
    bonus = TimeBonus(LatestOutcome(STATES, ACTIONS), STATES, ACTIONS, kappa=0.0)
    assert bonus.share_of_pairs(np.array([0, 1]), np.array([0, 0])).tolist() == [1, 1]
