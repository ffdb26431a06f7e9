"""Forward search: expectimax to a depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.models import TABLE_MODELS, LatestOutcome, NullModel, TimeBonus
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.forward_search import ForwardPlanning, ForwardSearch
from dynamaze.agents.values.table import TableValues
from dynamaze.envs import optimal_action_values

STATES, ACTIONS, GAMMA = 6, 3, 0.9
UNUSED = np.random.Generator(np.random.SFC64(0))


def normal_rewards(rng: np.random.Generator, n: int) -> Any:
    return rng.standard_normal(n)


def random_values() -> TableValues:
    values = TableValues(STATES, ACTIONS, learning_rate=0.1, gamma=GAMMA)
    values.q[:] = np.random.default_rng(2).standard_normal((STATES, ACTIONS))
    return values


def expectimax(model: Any, state: int, depth: int, leaf: Callable[[int], float]) -> Any:
    """Return (actions,) values by plain recursion."""

    def value_of(following: int, terminated: bool) -> float:
        if terminated:
            return 0.0
        if depth == 1:
            return leaf(following)
        return float(max(expectimax(model, following, depth - 1, leaf)))

    return np.array(
        [
            sum(
                p * (reward + GAMMA * value_of(int(following), bool(terminated)))
                for following, p, reward, terminated in zip(
                    *model.distribution(state, action), strict=True
                )
            )
            for action in range(ACTIONS)
        ]
    )


@pytest.mark.parametrize("name", sorted(TABLE_MODELS))
@pytest.mark.parametrize("leaf_value", ["zero", "values"])
def test_forward_search_equals_expectimax(
    learned: Callable[..., Any], name: str, leaf_value: str
) -> None:
    model, values = (
        learned(TABLE_MODELS[name](STATES, ACTIONS), 60, normal_rewards),
        random_values(),
    )
    found = ForwardPlanning(3, leaf_value=leaf_value).action_values(
        values, model, np.arange(STATES), UNUSED
    )
    leaf_values = (
        (lambda state: float(values.q[state].max()))
        if leaf_value == "values"
        else lambda state: 0.0
    )
    wanted = [expectimax(model, state, 3, leaf_values) for state in range(STATES)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_forward_search_uses_time_bonus(learned: Callable[..., Any]) -> None:
    model = TimeBonus(
        learned(LatestOutcome(STATES, ACTIONS), 120, normal_rewards), STATES, ACTIONS, kappa=0.5
    )
    model.times.clock[0] = 100
    values = random_values()
    bare = ForwardPlanning(1).action_values(values, model.model, np.arange(2), UNUSED)
    found = ForwardPlanning(1).action_values(values, model, np.arange(2), UNUSED)
    np.testing.assert_allclose(found, bare + 0.5 * 10.0)


def test_search_stops_at_depth(learned: Callable[..., Any]) -> None:
    """A row alone gives the same as in a batch, though the batch reaches more states."""
    model, values = learned(LatestOutcome(STATES, ACTIONS), 12, normal_rewards), random_values()
    planning = ForwardPlanning(2, leaf_value="values")
    batch = planning.action_values(values, model, np.arange(STATES), UNUSED)
    for row in range(STATES):
        alone = planning.action_values(values, model, np.array([row]), UNUSED)
        np.testing.assert_array_equal(alone[0], batch[row])


def test_values_are_within_bound() -> None:
    env = gym.make("DynaMaze-v0", slip_probability=0.2)
    optimal = optimal_action_values(env.unwrapped.layout, GAMMA)  # type: ignore[attr-defined]
    values = TableValues(*optimal.shape, learning_rate=0.1, gamma=GAMMA)
    for depth in (10, 40, 120):
        found = ForwardPlanning(depth).action_values(
            values, TrueModel(env), np.arange(len(optimal)), UNUSED
        )
        # The only reward is the goal's: the error is at most gamma^depth.
        error = (optimal - found).max(), (found - optimal).max()
        assert error[0] <= GAMMA**depth + 1e-9
        assert error[1] <= 1e-9


@pytest.mark.parametrize(
    ("name", "depth", "best"), [("DynaMaze-v0", 15, 14), ("CliffWalking-v1", 14, 13)]
)
def test_forward_search_takes_shortest_path(name: str, depth: int, best: int) -> None:
    agent = ForwardSearch(name, depth=depth, seed=0)
    ends: list[int] = []
    agent.learn(2 * best, lambda step: ends.append(step.episode_length) if step.terminated else 0)
    assert ends == [best, best]


def test_forward_search_solves_toy_text() -> None:
    taxi = ForwardSearch("Taxi-v4", depth=25, seed=0)
    returns: list[float] = []
    taxi.learn(60, lambda step: returns.append(step.episode_return) if step.terminated else 0)
    assert len(returns) >= 3
    assert min(returns) >= 3  # every passenger is delivered on a shortest path
    lake = ForwardSearch("FrozenLake-v1", depth=400, gamma=0.99, seed=0)
    values = lake.planning.action_values(lake.values, lake.model, np.array([0]), UNUSED)
    assert values.max() == pytest.approx(0.542, abs=1e-3)


def test_learned_model_solves_maze() -> None:
    agent = ForwardSearch("DynaMaze-v0", model="latest_outcome", depth=20, epsilon=0.1, seed=0)
    lengths: list[int] = []
    agent.learn(2000, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert np.median(lengths[-20:]) <= 18


def test_true_model_follows_set_env(tmp_path: Path) -> None:
    agent = ForwardSearch(gym.make("DynaMaze-v0", layout="S..G"), depth=5, seed=0).learn(3)
    agent.save(tmp_path / "agent.npz")
    with pytest.warns(UserWarning, match="another configuration"):
        resumed = ForwardSearch.load(tmp_path / "agent.npz", gym.make("DynaMaze-v0", layout="G..S"))
    assert resumed.predict(1, deterministic=True)[0] == 3
    assert agent.predict(1, deterministic=True)[0] == 1


def test_empty_model_gives_equal_values() -> None:
    agent = ForwardSearch("DynaMaze-v0", model="latest_outcome", depth=4, seed=0)
    np.testing.assert_array_equal(agent.action_probabilities(0), [[0.25] * 4])


@pytest.mark.parametrize("depth", [0, -1, 1.5])
def test_forward_planning_rejects_depth(depth: Any) -> None:
    with pytest.raises(ValueError, match=r"depth=.*expected a whole number in \[1, "):
        ForwardSearch("DynaMaze-v0", depth=depth)


def test_forward_search_rejects_invalid_argument() -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match="expected a number of steps"):
        ForwardSearch("DynaMaze-v0", depth=nothing)
    with pytest.raises(ValueError, match=r"leaf_value='value'.*did you mean 'values'"):
        ForwardSearch("DynaMaze-v0", leaf_value="value")
    with pytest.raises(ValueError, match="needs a model that knows the probability"):
        ForwardSearch("DynaMaze-v0", model=NullModel())
    with pytest.raises(ValueError, match="needs a model that knows the probability"):
        ForwardSearch("DynaMaze-v0", model="simulator")
    with pytest.raises(ValueError, match=r"model='tru'.*did you mean 'true'"):
        ForwardSearch("DynaMaze-v0", model="tru")
    with pytest.raises(TypeError, match="needs Discrete"):
        ForwardSearch("DynaMazeContinuous-v0")
