"""Tree search through any simulator, and progressive widening."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import MaximumLikelihood, TableValues, Transitions
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.env_copies import WorldCopies
from dynamaze.agents.search.mcts.agent import TreeSearch
from dynamaze.agents.search.mcts.continuous import ContinuousTreeSearch
from dynamaze.agents.search.mcts.planning import TreeSearchPlanning
from dynamaze.agents.search.mcts.simulated import SimulatedRule, SimulatedSearch, Widening
from dynamaze.agents.search.simulators import TableSimulator, make_simulator


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def rule(simulations: int, depth: int, **more: Any) -> SimulatedRule:
    numbers: dict[str, Any] = {
        "gamma": 0.9,
        "exploration_constant": 0.5,
        "merges": False,
        "leaf_values": None,
        "outcomes": None,
        "actions": None,
        "draw_action": None,
    }
    return SimulatedRule(simulations, depth, **{**numbers, **more})


def process() -> Any:
    model = MaximumLikelihood(5, 2)
    chance = np.random.default_rng(2)
    n = 200
    states, actions = chance.integers(5, size=n), chance.integers(2, size=n)
    model.update(
        Transitions(states, actions, states / 5, chance.integers(5, size=n), chance.random(n) < 0.1)
    )
    return model


def exact(model: Any, depth: int) -> Any:
    values = np.zeros(5)
    q = np.zeros((5, 2))
    for _ in range(depth):
        for state, action in np.ndindex(5, 2):
            one = model.distribution(state, action)
            goes_on = np.where(one.terminated, 0.0, values[one.next_observation])
            q[state, action] = one.probability @ (one.reward + 0.9 * goes_on)
        values = q.max(axis=1)
    return q


@pytest.mark.parametrize("merges", [False, True])
def test_it_finds_what_the_compiled_search_finds(merges: bool) -> None:
    """Both near the exact values of three steps; they draw other random numbers."""
    model = process()
    truth = exact(model, 3)
    found = SimulatedSearch(TableSimulator(model), rule(6000, 3, merges=merges), rng()).run(1)
    planning = TreeSearchPlanning(6000, depth=3, exploration_constant=0.5, transpositions=merges)
    values = TableValues(5, 2, learning_rate=1.0, gamma=0.9)
    compiled = planning.action_values(values, model, np.array([1]), rng())[0]
    for best in (found.values.max(), compiled.max()):
        # Returns lie in [0, 2.2]; five standard errors of 3000 of them are 0.1 at most.
        assert abs(best - truth[1].max()) < 0.1
    assert found.visits.sum() == 6000
    assert found.actions == [0, 1]


def test_the_same_seed_gives_the_same_search() -> None:
    model = process()
    one, other, third = (
        SimulatedSearch(TableSimulator(model), rule(200, 6), rng(seed)).run(0) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.values, other.values)
    assert not np.array_equal(one.values, third.values)


def test_it_searches_in_copies_of_a_maze_and_finds_the_way() -> None:
    env = gym.make("DynaMaze-v0", layout="..S.G")
    agent = TreeSearch(env, model="copies", simulations=60, depth=6, seed=0)
    actions = []
    agent.learn(2, lambda step: actions.append(step.action))
    assert actions == [1, 1]
    assert agent.num_episodes == 1


def test_leaves_may_be_worth_learned_values() -> None:
    """Nothing is paid within a step or two, so that the values alone tell the way."""
    env = gym.make("DynaMaze-v0", layout="..S......G")
    env.reset(seed=0)
    copies = WorldCopies(env)
    values = TableValues(10, 4, learning_rate=1.0, gamma=0.9)
    values.q[...] = np.arange(10)[:, None] / 10
    planning = TreeSearchPlanning(
        200, depth=2, leaf="values", exploration_constant=0.1, outcome_widening=None
    )
    found = planning.action_values(values, copies, np.array([2]), rng())[0]
    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.81 * 0.4, abs=0.05)


class Noisy:
    """A place on a line: an action moves it by -1 or 1 and noise; being near 3 pays, and ends it.

    With `steers` the action is any number in [-1, 1].
    """

    def __init__(self, steers: bool = False) -> None:
        self.num_actions = 0 if steers else 2
        self.steps = 0

    def begin(self, observation: Any) -> float:
        return float(observation[0])

    def step(self, state: float, action: Any, rng: Any) -> tuple[float, float, bool]:
        self.steps += 1
        push = float(action[0]) if self.num_actions == 0 else 2.0 * action - 1.0
        place = state + push + 0.01 * rng.normal()
        ends = abs(place - 3) < 0.5
        return place, float(ends), ends

    def observation(self, state: float) -> Any:
        return np.array([state])

    def key(self, state: float) -> Any:
        return state


def nodes_of(search: SimulatedSearch) -> Any:
    tree = search._tree
    return tree.time[: tree.numbers[0]]


def test_widening_of_outcomes_lets_the_tree_grow_deep_where_no_state_comes_twice() -> None:
    wide = SimulatedSearch(Noisy(), rule(400, 8), rng())
    wide.run(np.array([0.0]))
    assert nodes_of(wide).max() == 1  # every outcome is new: it never gets beyond the first step
    narrow = SimulatedSearch(Noisy(), rule(400, 8, outcomes=Widening(1.0, 0.3)), rng())
    found = narrow.run(np.array([0.0]))
    assert nodes_of(narrow).max() >= 3
    assert found.values.argmax() == 1
    for edge, outcomes in narrow._outcomes.items():
        visits = int(narrow._tree.visits[edge])
        assert len(outcomes) <= 1 + visits**0.3
        assert sum(narrow._counts[edge]) == visits


def test_known_outcomes_come_again_as_often_as_they_came() -> None:
    """A coin behind one action: with two outcomes allowed, their shares stay about even."""
    search = SimulatedSearch(Noisy(), rule(3000, 1, outcomes=Widening(1.9, 0.0)), rng())
    search.run(np.array([0.0]))
    assert {len(outcomes) for outcomes in search._outcomes.values()} == {2}


def test_actions_are_drawn_as_visits_allow_and_the_best_is_simulated_most() -> None:
    drawn = rule(
        600,
        1,  # only an action of about 0.5 and more gets there in one step
        outcomes=Widening(1.0, 0.2),
        actions=Widening(1.0, 0.4),
        draw_action=lambda rng: rng.uniform(-1, 1, 1),
    )
    search = SimulatedSearch(Noisy(steers=True), drawn, rng())
    found = search.run(np.array([2.0]))
    assert 5 < len(found.actions) <= 1 + 600**0.4
    assert float(found.actions[int(found.visits.argmax())][0]) > 0.45
    for node in range(search._tree.numbers[0]):
        assert len(search._actions[node]) <= 1 + int(search._tree.total[node]) ** 0.4


def test_continuous_actions_lead_to_the_goal_of_a_continuous_maze() -> None:
    env = gym.make("DynaMazeContinuous-v0", layout="S.G", noise=0.02)
    policy = ContinuousTreeSearch(env, simulations=150, depth=10, seed=0)
    observation, _ = env.reset(seed=0)
    steps, terminated = 0, False
    while not terminated and steps < 40:
        action, _ = policy.predict(observation)
        assert env.action_space.contains(action)
        observation, _, terminated, _, _ = env.step(action)
        steps += 1
    print(steps)
    assert steps <= 8
    found = policy.search(env.reset(seed=0)[0])
    assert found.visits.sum() == 150


def test_numbered_actions_of_a_continuous_maze_in_copies() -> None:
    env = gym.make("DynaMazeContinuous-v0", layout="S.G", action="discrete", noise=0.01)
    agent = TreeSearch(
        env,
        model="copies",
        simulations=80,
        depth=8,
        outcome_widening=(1.0, 0.3),
        values="tile_coding",
        seed=0,
    ).learn(20)
    assert agent.num_episodes >= 1
    one = TreeSearch(
        gym.make("DynaMazeContinuous-v0", layout="S.G", action="discrete", noise=0.01),
        model="copies",
        simulations=80,
        depth=8,
        outcome_widening=(1.0, 0.3),
        values="tile_coding",
        seed=0,
    ).learn(20)
    assert one.num_episodes == agent.num_episodes
    np.testing.assert_array_equal(one.observation, agent.observation)


def test_a_model_of_vectors_that_is_learned_on_the_way() -> None:
    env = gym.make("DynaMazeContinuous-v0", layout="S.G", action="discrete", noise=0.01)
    agent = TreeSearch(
        env,
        model="recursive_linear",
        simulations=20,
        depth=4,
        values="tile_coding",
        epsilon=0.3,
        seed=0,
    ).learn(40)
    assert agent.num_timesteps == 40
    simulator = make_simulator(agent.model)
    assert simulator.step(simulator.begin(np.array([0.5, 0.5])), 1, rng())[0].shape == (2,)


def test_what_does_not_fit_is_refused() -> None:
    box = gym.make("DynaMazeContinuous-v0")
    with pytest.raises(TypeError, match="expected a Box"):
        ContinuousTreeSearch("DynaMaze-v0")
    with pytest.raises(TypeError, match="action_widening=None"):
        ContinuousTreeSearch(box, action_widening=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="simulations=0"):
        ContinuousTreeSearch(box, simulations=0)
    with pytest.raises(TypeError, match="cannot be stepped through"):
        ContinuousTreeSearch(box, model=object())
    copies = WorldCopies(gym.make("Blackjack-v1"))
    values = TableValues(704, 2, learning_rate=1.0, gamma=0.9)
    planning = TreeSearchPlanning(10, untried_value=1.0)
    with pytest.raises(TypeError, match="expected a model of a table"):
        planning.action_values(values, copies, np.array([0]), rng())
    assert TrueModel.capabilities >= {"distribution"}
