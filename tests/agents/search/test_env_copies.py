"""Copies of the environment as a model."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import Spaces
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.env_copies import EnvCopies
from dynamaze.agents.search.simulators import make_simulator

WORLDS: dict[str, dict[str, Any]] = {
    "DynaMaze-v0": {"slip_probability": 0.5},
    "DynaMazeContinuous-v0": {"action": "discrete"},
    "FrozenLake-v1": {},
    "Blackjack-v1": {},
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def reset_env(name: str, **more: Any) -> tuple[Any, Any]:
    env = gym.make(name, **{**WORLDS[name], **more})
    observation, _ = env.reset(seed=3)
    return env, observation


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_search_leaves_env_unchanged(name: str) -> None:
    copied_env, observation = reset_env(name)
    alone, _ = reset_env(name)
    copies, generator = EnvCopies(copied_env), rng()
    actions = np.random.default_rng(1).integers(copies.num_actions, size=30)
    for action in actions.tolist():
        state = copies.begin(copies.encoder.one(observation))
        for _ in range(3):
            state, _, terminated = copies.step(
                state, int(generator.integers(copies.num_actions)), generator
            )
            if terminated:
                break
        one, other = copied_env.step(action), alone.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]
        observation = one[0]
        if one[2] or one[3]:
            break


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_step_repeats_from_same_state(name: str) -> None:
    env, observation = reset_env(name)
    copies = EnvCopies(env)
    state = copies.begin(copies.encoder.one(observation))
    outcomes_twice = [
        [copies.step(state, 0, generator)[1:] for generator in (rng(seed) for seed in range(8))]
        for _ in range(2)
    ]
    assert outcomes_twice[0] == outcomes_twice[1]
    assert copies.key(state) == copies.key(copies.begin(copies.encoder.one(observation)))


@pytest.mark.parametrize("name", ["DynaMaze-v0", "FrozenLake-v1"])
def test_step_frequencies_match_true_model(name: str) -> None:
    """Chance events are not copied: frequencies are those of the true model."""
    env, observation = reset_env(name)
    copies, generator, n = EnvCopies(env), rng(), 600
    row = copies.encoder.one(observation)
    state = copies.begin(row)
    drawn = [copies.observation(copies.step(state, 1, generator)[0]) for _ in range(n)]
    outcomes = TrueModel(env).distribution(row, 1)
    for following in np.unique(outcomes.next_observation):
        chance = outcomes.probability[outcomes.next_observation == following].sum()
        # Five standard deviations: a false alarm in 300,000 for three outcomes each.
        far = 5 * np.sqrt(chance * (1 - chance) / n)
        assert abs(np.mean(np.array(drawn) == following) - chance) <= far
    assert set(drawn) <= set(outcomes.next_observation.tolist())


def test_copies_foresee_scheduled_changes() -> None:
    env: Any = gym.make("DynaMaze-v0", layout="S..G", changes={1: {"goal_reward": 5}})
    env.reset(seed=0)
    copies = EnvCopies(env)
    state = copies.begin(0)
    rewards = []
    for _ in range(3):
        state, reward, _ = copies.step(state, 1, rng())
        rewards.append(reward)
    assert rewards == [0, 0, 5]
    assert env.unwrapped.world_step == 0


def test_copies_ignore_time_limit() -> None:
    env = gym.make("DynaMaze-v0", max_episode_steps=2)
    observation, _ = env.reset(seed=0)
    copies = EnvCopies(env)
    state = copies.begin(observation)
    for _ in range(5):
        state, _, terminated = copies.step(state, 0, rng())
        assert not terminated


def test_copies_include_reward_wrapper() -> None:
    env = gym.wrappers.TransformReward(
        gym.make("DynaMaze-v0", layout="SG"), lambda rewards: rewards + 7
    )
    env.reset(seed=0)
    copies = EnvCopies(env)
    assert copies.step(copies.begin(0), 1, rng())[1:] == (8.0, True)
    assert copies.step(copies.begin(0), 0, rng())[1:] == (7.0, False)


def test_step_accepts_vector_action() -> None:
    env: Any = gym.make("DynaMazeContinuous-v0", noise=0.0)
    observation, _ = env.reset(seed=0)
    copies = EnvCopies(env)
    assert (copies.num_actions, copies.observes) == (0, "vectors")
    state = copies.begin(copies.encoder.one(observation))
    following, _, _ = copies.step(state, np.array([0.0, 1.0], dtype=np.float32), rng())
    moved = copies.observation(following) - copies.observation(state)
    np.testing.assert_allclose(moved, [0.0, 0.5], atol=1e-6)


def test_copies_do_not_render() -> None:
    env: Any = gym.make("DynaMaze-v0", render_mode="rgb_array")
    env.reset(seed=0)
    copies = EnvCopies(env)
    copies.step(copies.begin(18), 0, rng())
    assert env.render_mode == "rgb_array"
    assert copies._scratch.render_mode is None


def test_copies_are_simulator_and_model() -> None:
    env, _ = reset_env("DynaMaze-v0")
    copies = EnvCopies(env)
    assert make_simulator(copies) is copies
    copies.update(one_transition(0, 0, 0.0, 0, False))
    assert copies.get_state() == {}
    with pytest.raises(RuntimeError, match="no transitions for background planning"):
        copies.sample(1, rng())


def test_begin_rejects_other_state() -> None:
    env, observation = reset_env("FrozenLake-v1")
    copies = EnvCopies(env)
    copies.begin(observation)
    with pytest.raises(ValueError, match="in state 0; copies can only be simulated from"):
        copies.begin(5)


def test_begin_requires_env() -> None:
    env, observation = reset_env("FrozenLake-v1")
    copies = EnvCopies(Spaces(env.observation_space, env.action_space))
    with pytest.raises(RuntimeError, match="no environment to copy"):
        copies.begin(observation)
    copies.set_env(env)
    assert copies.begin(observation).observation == observation
    with pytest.raises(TypeError, match="vectors are made of"):
        EnvCopies(Spaces(gym.spaces.Text(3), env.action_space))
