"""Tree search through any simulator, and progressive widening."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import MaximumLikelihood, TableValues, Transitions
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.env_copies import EnvCopies
from dynamaze.agents.search.mcts.agent import TreeSearch, TreeSearchPlanning, TreeSettings
from dynamaze.agents.search.mcts.continuous import ContinuousTreeSearch
from dynamaze.agents.search.mcts.simulated import SimulatedSearch, SimulatedSettings, Widening
from dynamaze.agents.search.simulators import TableSimulator, make_simulator


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def rule(simulations: int, depth: int, **more: Any) -> SimulatedSettings:
    numbers: dict[str, Any] = {
        "gamma": 0.9,
        "exploration_constant": 0.5,
        "transpositions": False,
        "leaf_value": None,
        "outcome_widening": None,
        "action_widening": None,
        "draw_action": None,
    }
    return SimulatedSettings(simulations, depth, **{**numbers, **more})


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


@pytest.mark.parametrize("transpositions", [False, True])
def test_simulated_search_equals_compiled(transpositions: bool) -> None:
    """Both approximate the exact values of three steps, with other random numbers."""
    model = process()
    truth = exact(model, 3)
    found = SimulatedSearch(
        TableSimulator(model), rule(6000, 3, transpositions=transpositions), rng()
    ).run(1)
    planning = TreeSearchPlanning(
        6000,
        depth=3,
        settings=TreeSettings(exploration_constant=0.5, transpositions=transpositions),
    )
    values = TableValues(5, 2, learning_rate=1.0, gamma=0.9)
    compiled = planning.action_values(values, model, np.array([1]), rng())[0]
    for best in (found.values.max(), compiled.max()):
        # Returns lie in [0, 2.2]; five standard errors of 3000 of them are 0.1 at most.
        assert abs(best - truth[1].max()) < 0.1
    assert found.visits.sum() == 6000
    assert found.actions == [0, 1]


def test_search_is_reproducible() -> None:
    model = process()
    one, other, third = (
        SimulatedSearch(TableSimulator(model), rule(200, 6), rng(seed)).run(0) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.values, other.values)
    assert not np.array_equal(one.values, third.values)


def test_env_copies_solve_maze() -> None:
    env = gym.make("DynaMaze-v0", layout="..S.G")
    agent = TreeSearch(env, model="simulator", simulations=60, depth=6, seed=0)
    actions = []
    agent.learn(2, lambda step: actions.append(step.action))
    assert actions == [1, 1]
    assert agent.num_episodes == 1


def test_leaf_value_is_learned_value() -> None:
    """No reward is within two steps, so that only the values guide the search."""
    env = gym.make("DynaMaze-v0", layout="..S......G")
    env.reset(seed=0)
    copies = EnvCopies(env)
    values = TableValues(10, 4, learning_rate=1.0, gamma=0.9)
    values.q[...] = np.arange(10)[:, None] / 10
    planning = TreeSearchPlanning(
        200,
        depth=2,
        settings=TreeSettings(leaf_value="values", exploration_constant=0.1, outcome_widening=None),
    )
    found = planning.action_values(values, copies, np.array([2]), rng())[0]
    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.81 * 0.4, abs=0.05)


class Noisy:
    """Point on a line, moved by -1 or 1 plus noise; reaching 3 is rewarded and terminates.

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


def test_outcome_widening_deepens_tree() -> None:
    wide = SimulatedSearch(Noisy(), rule(400, 8), rng())
    wide.run(np.array([0.0]))
    assert nodes_of(wide).max() == 1  # every outcome is new: the tree has depth 1
    narrow = SimulatedSearch(Noisy(), rule(400, 8, outcome_widening=Widening(1.0, 0.3)), rng())
    found = narrow.run(np.array([0.0]))
    assert nodes_of(narrow).max() >= 3
    assert found.values.argmax() == 1
    for edge, outcomes in narrow._outcomes.items():
        visits = int(narrow._tree.visits[edge])
        assert len(outcomes) <= 1 + visits**0.3
        assert sum(narrow._counts[edge]) == visits


def test_widening_repeats_outcome_frequencies() -> None:
    """One action with two equally likely outcomes: their shares stay about equal."""
    search = SimulatedSearch(Noisy(), rule(3000, 1, outcome_widening=Widening(1.9, 0.0)), rng())
    search.run(np.array([0.0]))
    assert {len(outcomes) for outcomes in search._outcomes.values()} == {2}


def test_action_widening_follows_visits() -> None:
    drawn = rule(
        600,
        1,  # only actions of about 0.5 or more reach it in one step
        outcome_widening=Widening(1.0, 0.2),
        action_widening=Widening(1.0, 0.4),
        draw_action=lambda rng: rng.uniform(-1, 1, 1),
    )
    search = SimulatedSearch(Noisy(steers=True), drawn, rng())
    found = search.run(np.array([2.0]))
    assert 5 < len(found.actions) <= 1 + 600**0.4
    assert float(found.actions[int(found.visits.argmax())][0]) > 0.45
    for node in range(search._tree.numbers[0]):
        assert len(search._actions[node]) <= 1 + int(search._tree.total[node]) ** 0.4


def test_continuous_search_solves_maze() -> None:
    env = gym.make("DynaMazeContinuous-v0", layout="S.G", noise=0.02)
    policy = ContinuousTreeSearch(env, simulations=150, depth=10, seed=0)
    observation, _ = env.reset(seed=0)
    steps, terminated = 0, False
    while not terminated and steps < 40:
        action, _ = policy.predict(observation)
        assert env.action_space.contains(action)
        observation, _, terminated, _, _ = env.step(action)
        steps += 1
    assert steps <= 8
    found = policy.search(env.reset(seed=0)[0])
    assert found.visits.sum() == 150


def test_discrete_actions_in_env_copies() -> None:
    def make() -> TreeSearch:
        return TreeSearch(
            gym.make("DynaMazeContinuous-v0", layout="S.G", action="discrete", noise=0.01),
            model="simulator",
            simulations=80,
            depth=8,
            settings=TreeSettings(outcome_widening=(1.0, 0.3)),
            values="tile_coding",
            seed=0,
        )

    agent, same = make().learn(20), make().learn(20)
    assert agent.num_episodes >= 1
    assert same.num_episodes == agent.num_episodes
    np.testing.assert_array_equal(same.observation, agent.observation)


def test_learned_vector_model_is_searched() -> None:
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


def test_search_rejects_invalid_argument() -> None:
    box = gym.make("DynaMazeContinuous-v0")
    with pytest.raises(TypeError, match="expected a Box"):
        ContinuousTreeSearch("DynaMaze-v0")
    with pytest.raises(TypeError, match="action_widening=None"):
        ContinuousTreeSearch(box, action_widening=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="simulations=0"):
        ContinuousTreeSearch(box, simulations=0)
    with pytest.raises(TypeError, match="cannot be stepped"):
        ContinuousTreeSearch(box, model=object())
    copies = EnvCopies(gym.make("Blackjack-v1"))
    values = TableValues(704, 2, learning_rate=1.0, gamma=0.9)
    planning = TreeSearchPlanning(10, settings=TreeSettings(first_play_urgency=1.0))
    with pytest.raises(TypeError, match="expected a tabular model"):
        planning.action_values(values, copies, np.array([0]), rng())
    assert TrueModel.capabilities >= {"distribution"}
