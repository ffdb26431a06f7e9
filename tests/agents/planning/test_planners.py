"""All planners by name: convergence, files, custom planners, and rejected arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    MODELS,
    PLANNERS,
    Agent,
    BackwardUpdates,
    DynamicProgramming,
    DynaQ,
    EpsilonGreedy,
    LatestOutcome,
    MaximumLikelihood,
    Planning,
    PrioritisedSweeping,
    StoredExperience,
    TableValues,
    TrajectorySampling,
    Transitions,
    UniformPlanning,
    UniformUpdates,
)
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.planning.dynamic_programming import value_iteration
from dynamaze.common.storage import CheckpointError

from .problems import ACTIONS, STATES, experience, greedy_length, plan_along

ON_TABLES = sorted(set(PLANNERS) - {"uniform"})

SETTLING: list[tuple[Callable[[], Planning], int]] = [
    (lambda: PrioritisedSweeping(4, threshold=1e-10), 3000),
    (lambda: PrioritisedSweeping(4, threshold=1e-10, priority="change"), 3000),
    (lambda: UniformUpdates(20), 1000),
    (lambda: BackwardUpdates(20), 1000),
    (lambda: TrajectorySampling(20, begin="start", epsilon=0.5), 1500),
    (lambda: DynamicProgramming(tolerance=1e-12), 0),
]


@pytest.mark.parametrize("learning_rate", [1.0, 0.5])
@pytest.mark.parametrize(("make", "more"), SETTLING)
@pytest.mark.parametrize("kind", [MaximumLikelihood, StoredExperience, LatestOutcome])
def test_planner_converges_to_dynamic_programming(
    make: Callable[[], Planning], more: int, learning_rate: float, kind: Any
) -> None:
    model = kind(STATES, ACTIONS)
    seen = experience(3)
    # A model without lookups is refreshed in turn, at each real step.
    values = plan_along(make(), model, seen, more=more, learning_rate=learning_rate)
    truth = value_iteration(SparseMDP.of_model(model), 0.9, tolerance=1e-12).action_values
    tolerance = 1e-6 if kind is not StoredExperience else 0.2
    assert np.abs(values.q - truth).max() < tolerance


@pytest.mark.parametrize("name", sorted(PLANNERS))
@pytest.mark.parametrize(
    "model", ["latest_outcome", "stored_experience", "forgetting_maximum_likelihood"]
)
def test_planner_solves_maze(name: str, model: str) -> None:
    agent = DynaQ(
        "DynaMaze-v0", learning_rate=1.0, planning_steps=20, planning=name, model=model, seed=2
    ).learn(4000 if name == "trajectory_sampling" else 1500)
    assert greedy_length(agent) <= 18  # some have found no shorter path yet than one of 16


@pytest.mark.parametrize("name", ["prioritised_sweeping", "dynamic_programming", "backward"])
def test_planner_follows_changed_maze(name: str) -> None:
    agent = DynaQ(
        "DynaMazeBlocking-v0",
        learning_rate=1.0,
        planning_steps=20,
        planning=name,
        epsilon=0.3,
        seed=1,
    ).learn(12_000)
    env = gym.make("DynaMazeBlocking-v0")
    observation, _ = env.reset(seed=0, options={"world_step": 2000})
    steps, terminated = 0, False
    while not terminated and steps < 50:
        action, _ = agent.predict(observation, deterministic=True)
        observation, _, terminated, _, _ = env.step(action)
        steps += 1
    assert steps == 16


@pytest.mark.parametrize("model", ["maximum_likelihood", "stored_experience", "bayesian_linear"])
@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_planner_resumes_bit_identically(name: str, model: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"planning": name, "model": model, "planning_steps": 4, "seed": 5}
    straight = DynaQ("DynaMazeBlocking-v0", **settings).learn(300)
    halfway = DynaQ("DynaMazeBlocking-v0", **settings).learn(137)
    halfway.save(tmp_path / "agent")
    resumed = DynaQ.load(tmp_path / "agent", "DynaMazeBlocking-v0").learn(163)
    np.testing.assert_array_equal(resumed.values.q, straight.values.q)  # type: ignore[attr-defined]


def test_load_requires_planner_object(tmp_path: Path) -> None:
    agent = DynaQ("DynaMaze-v0", planning=PrioritisedSweeping(7), seed=0).learn(50)
    agent.save(tmp_path / "agent")
    with pytest.raises(CheckpointError, match="planning"):
        DynaQ.load(tmp_path / "agent")
    loaded = DynaQ.load(tmp_path / "agent", planning=PrioritisedSweeping(7))
    np.testing.assert_array_equal(loaded.values.q, agent.values.q)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ON_TABLES)
def test_set_state_rejects_invalid_index(name: str) -> None:
    agent = DynaQ("DynaMaze-v0", planning=name, seed=0).learn(200)
    state = agent.planning.get_state()
    whole = [key for key in state if isinstance(state[key], np.ndarray) and state[key].dtype == int]
    for key in whole:
        if key.endswith("counts"):
            continue
        wrong = {**state, key: np.full_like(state[key], 10**6 if "starts" not in key else -1)}
        with pytest.raises(ValueError, match="an index from"):
            agent.planning.set_state(wrong)
    agent.planning.set_state(state)
    agent.learn(50)


@pytest.mark.parametrize("name", ON_TABLES)
def test_set_state_that_fails_changes_nothing(name: str) -> None:
    planning = DynaQ("DynaMaze-v0", planning=name, seed=0).learn(200).planning
    before = planning.get_state()
    last = [key for key in before if key.startswith("record.")][-1]
    with pytest.raises(ValueError, match=last):
        planning.set_state({**before, last: "wrong"})
    np.testing.assert_equal(planning.get_state(), before)
    planning.set_state({})
    assert planning.record is None
    assert planning.get_state() == {}


def test_predict_leaves_planner_unchanged() -> None:
    agent = DynaQ("DynaMaze-v0", planning="prioritised_sweeping", seed=0).learn(200)
    before = agent.planning.get_state()
    agent.predict(np.arange(54))
    agent.action_probabilities(np.arange(54))
    np.testing.assert_equal(agent.planning.get_state(), before)


class AllPairs(Planning):
    """Custom planner: updates all pairs once after every tenth step."""

    needs = frozenset({"predict"})

    def __init__(self) -> None:
        self.recorded = 0

    def record_transition(self, values: Any, model: Any, transitions: Transitions) -> None:
        self.recorded += transitions.action.size

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        if self.recorded % 10:
            return
        pairs = np.argwhere(model.table.visits.reshape(values.q.shape))
        predicted = model.predict(*pairs.T)
        values.update(
            Transitions(
                pairs[:, 0],
                pairs[:, 1],
                predicted.reward,
                predicted.next_observation,
                predicted.terminated > 0.5,
            )
        )


def test_custom_planner_solves_maze() -> None:
    agent = DynaQ("DynaMaze-v0", learning_rate=1.0, planning=AllPairs(), seed=0).learn(3000)
    assert greedy_length(agent) == 14


def test_planning_rejects_unknown_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'prioritised_sweeping'"):
        DynaQ("DynaMaze-v0", planning="prioritized_sweeping")
    wrong: Any
    for wrong in (PrioritisedSweeping, 3, object()):
        with pytest.raises(TypeError, match="expected one of"):
            DynaQ("DynaMaze-v0", planning=wrong)


@pytest.mark.parametrize("name", ON_TABLES)
def test_table_planner_rejects_other_values(name: str) -> None:
    with pytest.raises(TypeError, match="TableValues"):
        DynaQ("DynaMaze-v0", values="tile_coding", planning=name)


def test_table_planner_rejects_sample_model() -> None:
    class Sampler(LatestOutcome):
        capabilities = frozenset({"sample"})

    with pytest.raises(ValueError, match=r"PrioritisedSweeping needs a model that knows"):
        DynaQ("DynaMaze-v0", model=Sampler(54, 4), planning="prioritised_sweeping")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: PrioritisedSweeping(-1), "planning_steps"),
        (lambda: PrioritisedSweeping(1, threshold=0.0), "threshold"),
        (lambda: PrioritisedSweeping(1, priority="eror"), "did you mean 'error'"),
        (lambda: UniformUpdates(1, updates="full"), "updates"),
        (lambda: TrajectorySampling(1, begin="now"), "begin"),
        (lambda: TrajectorySampling(1, epsilon=2.0), "epsilon"),
        (lambda: DynamicProgramming(tolerance=0.0), "tolerance"),
        (lambda: DynamicProgramming(max_sweeps=0), "max_sweeps"),
    ],
)
def test_planner_rejects_invalid_number(make: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()


def test_zero_planning_steps_plan_nothing() -> None:
    for name in sorted(PLANNERS):
        if name == "dynamic_programming":
            continue
        agent = DynaQ("DynaMaze-v0", planning=name, planning_steps=0, seed=0).learn(300)
        if not agent.planning.learns_directly:
            assert not agent.values.q.any()  # type: ignore[attr-defined]


def test_agent_accepts_custom_parts() -> None:
    parts: dict[str, Any] = {
        "values": TableValues(54, 4, learning_rate=0.5, gamma=0.9),
        "exploration": EpsilonGreedy(0.1),
    }
    Agent("DynaMaze-v0", model=LatestOutcome(54, 4), planning=UniformPlanning(3), **parts).learn(20)
    assert set(ON_TABLES) < set(PLANNERS)
    assert "latest_outcome" in MODELS
