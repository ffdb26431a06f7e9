"""Planning in the background: search control, sweeping, trajectories, dynamic programming."""

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
    ScoredModel,
    StoredExperience,
    TableValues,
    TimeBonus,
    TrajectorySampling,
    Transitions,
    UniformPlanning,
    UniformUpdates,
)
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.planning.dynamic_programming import value_iteration
from dynamaze.agents.planning.predecessors import lead_to, next_leading
from dynamaze.common.storage import CheckpointError

STATES, ACTIONS = 6, 3
ON_TABLES = sorted(set(PLANNERS) - {"uniform"})


def experience(seed: int, n: int = 400, outcomes: int = 2) -> Transitions:
    """Of a random process, each pair of which has a few outcomes."""
    rng = np.random.default_rng(seed)
    world = rng.integers(STATES, size=(STATES, ACTIONS, outcomes))
    reward = rng.normal(size=(STATES, ACTIONS, outcomes))
    ends = rng.random((STATES, ACTIONS, outcomes)) < 0.1
    state, action = rng.integers(STATES, size=n), rng.integers(ACTIONS, size=n)
    which = (state, action, rng.integers(outcomes, size=n))
    return Transitions(state, action, reward[which], world[which], ends[which])


def plan_along(
    planning: Planning, model: Any, transitions: Transitions, *, more: int, learning_rate: float
) -> TableValues:
    """The values when a planner has heard of all transitions, one by one, and planned on."""
    values = TableValues(STATES, ACTIONS, learning_rate=learning_rate, gamma=0.9)
    rng = np.random.Generator(np.random.SFC64(1))
    for row in range(transitions.action.size):
        one = Transitions(*(column[row : row + 1] for column in transitions))
        model.update(one)
        planning.note(values, model, one)
        planning.plan(values, model, rng)
    for _ in range(more):
        planning.plan(values, model, rng)
    return values


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
def test_planners_settle_where_dynamic_programming_does(
    make: Callable[[], Planning], more: int, learning_rate: float, kind: Any
) -> None:
    model = kind(STATES, ACTIONS)
    seen = experience(3)
    # A model that is no table of outcomes is looked up in turn, so it has to be told on.
    values = plan_along(make(), model, seen, more=more, learning_rate=learning_rate)
    truth = value_iteration(SparseMDP.of_model(model), 0.9, tolerance=1e-12).action_values
    tolerance = 1e-6 if kind is not StoredExperience else 0.2
    assert np.abs(values.q - truth).max() < tolerance


@pytest.mark.parametrize("name", sorted(PLANNERS))
@pytest.mark.parametrize(
    "model", ["latest_outcome", "stored_experience", "forgetting_maximum_likelihood"]
)
def test_every_planner_solves_the_maze_with_every_kind_of_model(name: str, model: str) -> None:
    agent = DynaQ(
        "DynaMaze-v0", learning_rate=1.0, planning_steps=20, planning=name, model=model, seed=2
    ).learn(4000 if name == "trajectory_sampling" else 1500)
    assert greedy_length(agent) <= 18  # some have seen no shorter way yet than one of 16


def greedy_length(agent: Agent, env_id: str = "DynaMaze-v0", most: int = 100) -> int:
    env = gym.make(env_id)
    observation, _ = env.reset(seed=0)
    for steps in range(1, most + 1):
        action, _ = agent.predict(observation, deterministic=True)
        observation, _, terminated, _, _ = env.step(action)
        if terminated:
            return steps
    return most + 1


def test_sweeping_needs_a_fraction_of_the_updates() -> None:
    agent = DynaQ(
        "DynaMaze-v0", learning_rate=1.0, planning_steps=5, planning="prioritised_sweeping", seed=0
    )
    agent.learn(3000)
    planning: Any = agent.planning
    # 47 cells of 4 actions, each worth one update; Dyna-Q would have made 15,000 by now.
    assert greedy_length(agent) == 14
    assert 47 <= planning.num_updates < 1000


def test_sweeping_is_the_box_on_a_corridor() -> None:
    """The goal is found, and the next step back to the start is all it takes."""
    model, planning = LatestOutcome(4, 2), PrioritisedSweeping(10)
    values = TableValues(4, 2, learning_rate=1.0, gamma=0.5)
    rng = np.random.Generator(np.random.SFC64(0))
    for state in range(3):
        forward = one_transition(state, 1, float(state == 2), state + 1, state == 2)
        model.update(forward)
        planning.note(values, model, forward)
        before = values.q.copy()
        planning.plan(values, model, rng)
        if state < 2:
            np.testing.assert_array_equal(values.q, before)  # nothing waits, nothing is done
    np.testing.assert_array_equal(values.q[:3, 1], [0.25, 0.5, 1.0])
    assert planning.num_updates == 3


def test_sweeping_does_not_touch_the_generator_and_stops_at_its_budget() -> None:
    model, planning = LatestOutcome(STATES, ACTIONS), PrioritisedSweeping(1)
    values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.9)
    seen = experience(1, 60, outcomes=1)
    model.update(seen)
    planning.note(values, model, seen)
    rng = np.random.Generator(np.random.SFC64(5))
    for expected in (1, 2, 3):
        planning.plan(values, model, rng)
        assert planning.num_updates == expected
    assert rng.random() == np.random.Generator(np.random.SFC64(5)).random()


def test_predecessors_in_which_the_model_no_longer_believes_are_forgotten() -> None:
    model, planning = LatestOutcome(3, 2), PrioritisedSweeping(10)
    values = TableValues(3, 2, learning_rate=1.0, gamma=0.9)
    rng = np.random.Generator(np.random.SFC64(0))

    def live(state: int, action: int, reward: float, following: int) -> None:
        one = one_transition(state, action, reward, following, False)
        model.update(one)
        planning.note(values, model, one)
        planning.plan(values, model, rng)

    live(0, 0, 0.0, 1)  # 0 leads to 1 ...
    live(0, 0, 0.0, 0)  # ... and then a wall falls in between
    live(1, 0, 1.0, 2)
    before = planning.record.before
    node, _ = next_leading(before, model.table, 2, 1, -1)
    assert node == -1
    assert before.first[1] == -1
    assert before.used[1] >= 0  # its node may be used again
    assert values.q[0, 0] == 0.0
    lead_to(before, 1, 2, False)
    assert before.used[0] == 3


@pytest.mark.parametrize("name", ["prioritised_sweeping", "dynamic_programming", "backward"])
def test_a_changed_maze_is_replanned(name: str) -> None:
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


@pytest.mark.parametrize("make", [UniformUpdates, BackwardUpdates, TrajectorySampling])
def test_in_a_deterministic_world_a_sample_is_all_there_is_to_expect(make: Any) -> None:
    tables = []
    for updates in ("expected", "sample"):
        model = LatestOutcome(STATES, ACTIONS)
        seen = experience(2, outcomes=1)
        tables.append(
            plan_along(make(5, updates=updates), model, seen, more=0, learning_rate=0.5).q
        )
    np.testing.assert_allclose(*tables, rtol=1e-12)
    assert np.abs(tables[0]).max() > 0.5


def test_sample_updates_are_right_on_average() -> None:
    """Of a pair that pays 1 or 0 alike: 0.5, within 5 standard errors (false alarms below 1e-6)."""
    model, values = MaximumLikelihood(2, 1), TableValues(2, 1, learning_rate=0.01, gamma=0.9)
    planning = UniformUpdates(20_000, updates="sample")
    both = Transitions(
        np.zeros(2, int), np.zeros(2, int), np.array([1.0, 0.0]), np.array([0, 1]), np.ones(2, bool)
    )
    model.update(both)
    planning.note(values, model, both)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    # An average with step size a forgets; its variance is a / (2 - a) of one sample's, 1/4.
    error = 0.5 * np.sqrt(0.01 / 1.99)
    assert abs(values.q[0, 0] - 0.5) < 5 * error


def test_trajectories_stay_where_the_policy_goes() -> None:
    """Greedy in the model, from where the agent is: nothing behind it is updated."""
    n = 6
    model = LatestOutcome(n, 2)
    planning = TrajectorySampling(50, epsilon=0.0)
    values = TableValues(n, 2, learning_rate=1.0, gamma=0.9)
    values.q[:, 1] = 0.01  # to the right
    for state in range(n - 1):
        for action, following in ((0, max(state - 1, 0)), (1, state + 1)):
            one = one_transition(state, action, float(following == n - 1), following, False)
            model.update(one)
            if state == 2 and action == 1:
                planning.note(values, model, one)
    before = values.q.copy()
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    changed = np.argwhere(values.q != before)
    assert {tuple(pair) for pair in changed.tolist()} == {(3, 1), (4, 1)}


def test_trajectories_begin_where_episodes_began() -> None:
    planning = TrajectorySampling(3, begin="start")
    agent = DynaQ("DynaMazeBlocking-v0", planning=planning, seed=0).learn(3000)
    started = planning.record.starts[: planning.record.num_starts[0]]
    first, _ = gym.make("DynaMazeBlocking-v0").reset(seed=0)
    assert set(started.tolist()) == {agent.rows.one(first)}
    assert planning.record.num_starts[0] == agent.num_episodes + (agent.episode_length > 0)


def test_backward_updates_reach_the_end_of_an_episode() -> None:
    model, planning = LatestOutcome(2, 1), BackwardUpdates(4)
    values = TableValues(2, 1, learning_rate=1.0, gamma=0.9)
    end = one_transition(0, 0, 1.0, 1, True)
    model.update(end)
    planning.note(values, model, end)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert values.q[0, 0] == 1.0


def test_bonuses_and_scores_are_planned_with() -> None:
    inside = LatestOutcome(STATES, ACTIONS)
    bonus = TimeBonus(inside, STATES, ACTIONS, kappa=1.0)
    planning = DynamicProgramming()
    seen = experience(2, outcomes=1)
    with_bonus = plan_along(planning, bonus, seen, more=1, learning_rate=1.0)
    without = plan_along(
        DynamicProgramming(), LatestOutcome(STATES, ACTIONS), seen, more=1, learning_rate=1.0
    )
    tried = inside.table.visits.reshape(STATES, ACTIONS) > 0
    assert (with_bonus.q[tried] > without.q[tried]).all()
    scored = plan_along(
        DynamicProgramming(),
        ScoredModel(LatestOutcome(STATES, ACTIONS)),
        seen,
        more=1,
        learning_rate=1.0,
    )
    np.testing.assert_allclose(scored.q, without.q, atol=1e-6)


# -- the agent's face --------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["maximum_likelihood", "stored_experience", "bayesian_linear"])
@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_a_resumed_agent_gives_the_same_bits(name: str, model: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"planning": name, "model": model, "planning_steps": 4, "seed": 5}
    straight = DynaQ("DynaMazeBlocking-v0", **settings).learn(300)
    halfway = DynaQ("DynaMazeBlocking-v0", **settings).learn(137)
    halfway.save(tmp_path / "agent")
    resumed = DynaQ.load(tmp_path / "agent", "DynaMazeBlocking-v0").learn(163)
    np.testing.assert_array_equal(resumed.values.q, straight.values.q)  # type: ignore[attr-defined]


def test_a_planner_object_is_asked_for_when_loading(tmp_path: Path) -> None:
    agent = DynaQ("DynaMaze-v0", planning=PrioritisedSweeping(7), seed=0).learn(50)
    agent.save(tmp_path / "agent")
    with pytest.raises(CheckpointError, match="planning"):
        DynaQ.load(tmp_path / "agent")
    loaded = DynaQ.load(tmp_path / "agent", planning=PrioritisedSweeping(7))
    np.testing.assert_array_equal(loaded.values.q, agent.values.q)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_state_that_leads_outside_the_tables_is_refused(name: str) -> None:
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


def test_predicting_changes_nothing() -> None:
    agent = DynaQ("DynaMaze-v0", planning="prioritised_sweeping", seed=0).learn(200)
    before = agent.planning.get_state()
    agent.predict(np.arange(54))
    agent.action_probabilities(np.arange(54))
    np.testing.assert_equal(agent.planning.get_state(), before)


class Replaying(Planning):
    """A user's own: it goes once through all pairs after every tenth step."""

    needs = frozenset({"predict"})

    def __init__(self) -> None:
        self.heard = 0

    def note(self, values: Any, model: Any, transitions: Transitions) -> None:
        self.heard += transitions.action.size

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        if self.heard % 10:
            return
        pairs = np.argwhere(model.table.visits.reshape(values.q.shape))
        believed = model.predict(*pairs.T)
        values.update(
            Transitions(
                pairs[:, 0],
                pairs[:, 1],
                believed.reward,
                believed.next_observation,
                believed.terminated > 0.5,
            )
        )


def test_a_users_own_planner_needs_a_few_lines() -> None:
    agent = DynaQ("DynaMaze-v0", learning_rate=1.0, planning=Replaying(), seed=0).learn(3000)
    assert greedy_length(agent) == 14


# -- bad input ---------------------------------------------------------------------------------


def test_an_unknown_planner_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'prioritised_sweeping'"):
        DynaQ("DynaMaze-v0", planning="prioritized_sweeping")
    wrong: Any
    for wrong in (PrioritisedSweeping, 3, object()):
        with pytest.raises(TypeError, match="expected one of"):
            DynaQ("DynaMaze-v0", planning=wrong)


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_planner_of_tables_refuses_other_values(name: str) -> None:
    with pytest.raises(TypeError, match="TableValues"):
        DynaQ("DynaMaze-v0", values="tile_coding", planning=name)


def test_a_planner_refuses_a_model_without_a_distribution() -> None:
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
def test_numbers_outside_their_range_are_refused(make: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()


def test_no_budget_is_no_planning() -> None:
    for name in sorted(PLANNERS):
        if name == "dynamic_programming":
            continue
        agent = DynaQ("DynaMaze-v0", planning=name, planning_steps=0, seed=0).learn(300)
        if not agent.planning.learns_directly:
            assert not agent.values.q.any()  # type: ignore[attr-defined]


def test_a_world_that_pays_for_ever_is_told_of_and_not_waited_for() -> None:
    """With gamma = 1 the values of a loop that pays never settle."""
    model, planning = LatestOutcome(1, 1), DynamicProgramming(max_sweeps=50)
    values = TableValues(1, 1, learning_rate=1.0, gamma=1.0)
    loop = one_transition(0, 0, 1.0, 0, False)
    model.update(loop)
    planning.note(values, model, loop)
    with pytest.warns(RuntimeWarning, match=r"gamma=1.0 the residual after 50 sweeps is 0.02"):
        planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert values.q[0, 0] == 50
    sweeping = PrioritisedSweeping(30)
    sweeping.note(values, model, loop)
    sweeping.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert sweeping.num_updates == 30


def test_agents_of_ones_own_parts_are_checked_too() -> None:
    parts: dict[str, Any] = {
        "values": TableValues(54, 4, learning_rate=0.5, gamma=0.9),
        "exploration": EpsilonGreedy(0.1),
    }
    Agent("DynaMaze-v0", model=LatestOutcome(54, 4), planning=UniformPlanning(3), **parts).learn(20)
    assert set(ON_TABLES) < set(PLANNERS)
    assert "latest_outcome" in MODELS
