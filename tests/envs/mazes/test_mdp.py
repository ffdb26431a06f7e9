"""Exact MDP of each phase compared with closed forms, linear algebra and brute force."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dynamaze.envs import PRESETS, Dynamics, FiniteMDP, Layout, Rewards, greedy_policy
from dynamaze.envs.mazes.layout import DEFAULT_REWARDS
from dynamaze.envs.mazes.mdp import MIN_BLOCK

MakeLayout = Callable[[np.random.Generator], Layout]
GAMMA = 0.95


def random_mdp(rng: np.random.Generator) -> FiniteMDP:
    shape = (rng.integers(2, 6), rng.integers(1, 4), rng.integers(1, 4))
    probability = rng.random(shape)
    return FiniteMDP(
        rng.integers(shape[0], size=shape),
        probability / probability.sum(axis=2, keepdims=True),
        rng.normal(size=shape),
        rng.random(shape) < 0.2,
        np.full(shape[0], 1 / shape[0]),
    )


def mdp_of(
    text: str, rewards: Rewards = DEFAULT_REWARDS, slip_probability: float = 0.0
) -> FiniteMDP:
    return Dynamics(Layout.from_text(text, rewards, slip_probability)).mdp


def policy_iteration(mdp: FiniteMDP, gamma: float) -> np.ndarray:
    """Optimal values by another algorithm: Howard's, with numpy's solver."""
    states = len(mdp.start)
    policy = np.zeros(states, dtype=int)
    while True:
        chain, reward = np.zeros((states, states)), np.zeros(states)
        for state in range(states):
            for p, following, r, end in zip(
                *(column[state, policy[state]] for column in mdp[1:2] + mdp[0:1] + mdp[2:4]),
                strict=True,
            ):
                chain[state, following] += 0 if end else p
                reward[state] += p * r
        values = np.linalg.solve(np.eye(states) - gamma * chain, reward)
        q = mdp.backup(values, gamma)
        better = q.max(axis=1) > q[np.arange(states), policy] + 1e-10
        if not better.any():
            return values
        policy[better] = q.argmax(axis=1)[better]


@pytest.mark.parametrize("seed", range(25))
def test_optimal_values_equal_policy_iteration(seed: int) -> None:
    mdp = random_mdp(np.random.default_rng(seed))
    np.testing.assert_allclose(mdp.optimal_values(0.9), policy_iteration(mdp, 0.9), atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_optimal_values_are_powers_of_gamma(random_layout: MakeLayout, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    values = Dynamics(layout).mdp.optimal_values(GAMMA)
    distances = layout.distances.ravel()
    reaches_goal = distances > 0
    np.testing.assert_allclose(
        values[reaches_goal], GAMMA ** (distances[reaches_goal] - 1), atol=1e-12
    )
    assert (values[distances == 0] == 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_policy_values_solve_bellman(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng)
    policy = rng.dirichlet(np.ones(mdp.next_state.shape[1]), size=len(mdp.start))
    values = mdp.policy_values(policy, 0.9)
    np.testing.assert_allclose(values, (policy * mdp.backup(values, 0.9)).sum(axis=1), atol=1e-12)
    assert (values <= mdp.optimal_values(0.9) + 1e-9).all()


def state_probabilities(
    mdp: FiniteMDP, policy: np.ndarray, sweeps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (sweeps, S) state probabilities and (sweeps,) expected rewards, step by step."""
    here, chances, rewards = mdp.start, [], []
    for _ in range(sweeps):
        chances.append(here)
        expected, there = 0.0, np.zeros(len(here))
        for index in np.ndindex(mdp.next_state.shape):
            p = here[index[0]] * policy[index[:2]] * mdp.probability[index]
            expected += p * mdp.reward[index]
            there[mdp.next_state[index]] += 0 if mdp.terminated[index] else p
        rewards.append(expected)
        here = there
    return np.array(chances), np.array(rewards)


@pytest.mark.parametrize("seed", range(5))
def test_policy_values_equal_simulation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng)
    mdp = mdp._replace(terminated=mdp.terminated | (rng.random(mdp.terminated.shape) < 0.4))
    policy = rng.dirichlet(np.ones(mdp.next_state.shape[1]), size=len(mdp.start))
    chances, rewards = state_probabilities(mdp, policy, 200)
    values = mdp.policy_values(policy, 0.9)
    assert mdp.start @ values == pytest.approx(rewards @ 0.9 ** np.arange(200), abs=1e-9)
    longer = chances.sum(axis=1)  # P(length > k)
    assert longer[-1] < 1e-12
    mean, deviation = mdp.episode_steps(policy)
    assert mean == pytest.approx(longer.sum(), abs=1e-9)
    second = ((2 * np.arange(200) + 1) * longer).sum()
    assert deviation == pytest.approx(np.sqrt(second - mean**2), abs=1e-7)


def large_mdp(rng: np.random.Generator, size: int, longest_move: int) -> FiniteMDP:
    """Return an MDP whose equations are solved in several blocks, the last of them not full."""
    shape = (size, 2, 3)
    move = rng.integers(-longest_move, longest_move + 1, size=shape)
    probability = rng.random(shape)
    return FiniteMDP(
        np.clip(np.arange(size)[:, None, None] + move, 0, size - 1),
        probability / probability.sum(axis=2, keepdims=True),
        rng.normal(size=shape),
        rng.random(shape) < 0.1,
        np.full(size, 1 / size),
    )


@pytest.mark.parametrize("size", [1, MIN_BLOCK, MIN_BLOCK + 1, 3 * MIN_BLOCK, 5 * MIN_BLOCK - 7])
@pytest.mark.parametrize("longest_move", [0, 5, 100])
def test_block_solver_equals_dense(size: int, longest_move: int) -> None:
    rng = np.random.default_rng([size, longest_move])
    mdp = large_mdp(rng, size, longest_move)
    policy = rng.dirichlet([1, 1], size=size)
    chain = np.zeros((size, size))
    for index in np.ndindex(mdp.next_state.shape):
        chance = policy[index[:2]] * mdp.probability[index] * (not mdp.terminated[index])
        chain[index[0], mdp.next_state[index]] += chance
    reward = (policy[:, :, None] * mdp.probability * mdp.reward).sum(axis=(1, 2))
    expected = np.linalg.solve(np.eye(size) - 0.99 * chain, reward)
    np.testing.assert_allclose(mdp.policy_values(policy, 0.99), expected, rtol=1e-9, atol=1e-9)
    if longest_move:
        steps = np.linalg.solve(np.eye(size) - chain, np.ones(size)).mean()
        assert mdp.episode_steps(policy)[0] == pytest.approx(steps, rel=1e-9)


def test_endless_episode_raises() -> None:
    mdp = mdp_of("S.G")
    always_up = np.tile([1.0, 0.0, 0.0, 0.0], (3, 1))
    with pytest.raises(np.linalg.LinAlgError):
        mdp.episode_steps(always_up)
    with pytest.raises(np.linalg.LinAlgError):
        mdp.policy_values(always_up, 1.0)


def test_value_iteration_tolerance_is_relative() -> None:
    small, large = (
        mdp_of(PRESETS["dyna"], Rewards(1.0 * scale, -0.01 * scale), slip_probability=0.3)
        for scale in (1, 2**40)
    )
    np.testing.assert_allclose(
        large.optimal_values(GAMMA, max_sweeps=100) / 2**40,
        small.optimal_values(GAMMA, max_sweeps=100),
        atol=1e-10,
    )


def test_zero_probability_is_ignored() -> None:
    mdp = mdp_of("S.\n.G", slip_probability=1.0)  # never the intended direction
    q = mdp.backup(np.array([0.0, 0.0, -np.inf, 0.0]), 1.0)
    right, down, left = 1, 2, 3
    assert q[0, [right, down, left]].tolist() == [-np.inf, 0.0, -np.inf]
    assert not np.isnan(q).any()


@pytest.mark.parametrize("text", ["S.G\n###\n...", "...\n###\nS.G"])
def test_episode_steps_ignores_unreachable(text: str) -> None:
    mdp = mdp_of(text)  # no end can be reached from the other row
    always_right = np.tile([0.0, 1.0, 0.0, 0.0], (9, 1))
    assert mdp.episode_steps(always_right) == (2.0, 0.0)


def test_episode_return_ignores_unreachable() -> None:
    mdp = mdp_of("S.G\n###\n...")  # no end can be reached from the last row
    always_right = np.tile([0.0, 1.0, 0.0, 0.0], (9, 1))
    assert mdp.episode_return(always_right) == 1.0
    mixed = np.tile([0.0, 0.5, 0.0, 0.5], (9, 1))
    assert mdp.episode_return(mixed) == pytest.approx(1.0)  # every episode ends at the goal


def test_greedy_policy_shares_ties() -> None:
    values = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0 - 1e-9]])
    np.testing.assert_allclose(
        greedy_policy(values, epsilon=0.2, tolerance=1e-8),
        [[0.45, 0.45, 0.05, 0.05], [0.05, 0.05, 0.45, 0.45]],
    )
    np.testing.assert_array_equal(greedy_policy(values)[1], [0, 0, 1, 0])


@pytest.mark.parametrize("seed", range(6))
def test_slippery_values_equal_policy_iteration(random_layout: MakeLayout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = random_layout(rng)
    layout = Layout.from_text(drawn.to_text(), Rewards(2.0, -0.1, -0.3), rng.random())
    mdp = Dynamics(layout).mdp
    values = mdp.optimal_values(GAMMA)
    np.testing.assert_allclose(values, policy_iteration(mdp, GAMMA), atol=1e-9)
    goals = [layout.index(goal) for goal in layout.goals]
    assert (values[goals] == 0).all()


def test_toy_text_equals_arrays() -> None:
    mdp = mdp_of("S.G\n.#.", slip_probability=0.3)
    table = mdp.to_toy_text()
    assert set(table) == set(range(6))
    for state, actions in table.items():
        assert set(actions) == set(range(4))
        for action, outcomes in actions.items():
            assert sum(outcome[0] for outcome in outcomes) == pytest.approx(1)
            for k, (p, following, reward, end) in enumerate(outcomes):
                index = (state, action, k)
                assert p == mdp.probability[index]
                assert following == mdp.next_state[index]
                assert reward == mdp.reward[index]
                assert end is bool(mdp.terminated[index])


def test_slip_is_symmetric() -> None:
    # In the middle of an open maze, intending to go up from (1, 1).
    mdp = mdp_of("...\n.S.\n..G", slip_probability=0.3)
    found = dict(zip(mdp.next_state[4, 0].tolist(), mdp.probability[4, 0].tolist(), strict=True))
    assert found == pytest.approx({1: 0.7, 5: 0.15, 3: 0.15})


def test_rewards_match_outcomes() -> None:
    mdp = mdp_of("S.G", rewards=Rewards(goal=5.0, step=-1.0, wall=-2.0))
    up, right, down, left = range(4)
    assert mdp.reward[0, [up, right, down, left], 0].tolist() == [-2, -1, -2, -2]
    assert mdp.reward[1, [up, right, down, left], 0].tolist() == [-2, 5, -2, -1]
    assert mdp.reward[2].tolist() == [[0]] * 4  # no more reward at the goal
    assert mdp.terminated[2].all()


def test_optimal_policy_shares_ties() -> None:
    policy = mdp_of("S..\n...\n..G").optimal_policy()
    np.testing.assert_allclose(policy[0], [0, 0.5, 0.5, 0])


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_gamma_is_checked(gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma"):
        mdp_of(PRESETS["dyna"]).optimal_values(gamma)


def test_value_iteration_reports_divergence() -> None:
    endless = mdp_of("S.G", rewards=Rewards(step=1.0))
    with pytest.raises(RuntimeError, match="still changed a value by 1 after 50 sweeps"):
        endless.optimal_values(1.0, max_sweeps=50)
