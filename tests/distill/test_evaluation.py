"""Evaluation: unbiased episodes, confidence intervals and normalised returns."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import dynamaze  # noqa: F401
from dynamaze.distill.evaluation import Returns, evaluate, normalised_return, ratio
from dynamaze.envs.generation.planes import ShortestPathPolicy

from .small_envs import MODES, Clock, Counting, Fixed, clocks

SAME = AutoresetMode.SAME_STEP
ONES = Fixed(0.4, 0.6)


def episodes_of(index: int, seed: int, count: int) -> list[int]:
    """Return the episode lengths from an environment's own generator."""
    env = Clock()
    lengths = []
    for number in range(count):
        env.reset(seed=seed + index if number == 0 else None)
        lengths.append(env.length)
    return lengths


@pytest.mark.parametrize("mode", MODES)
def test_evaluate_uses_first_episodes_per_environment(mode: AutoresetMode) -> None:
    found = evaluate(ONES, clocks(mode), 11, gamma=0.9, seed=5)
    rounds = zip(*(episodes_of(index, 5, 4) for index in range(3)), strict=True)
    lengths = np.array([length for each in rounds for length in each][:11])
    np.testing.assert_array_equal(found.lengths, lengths)
    np.testing.assert_array_equal(found.undiscounted, lengths)
    np.testing.assert_allclose(found.discounted, (1 - 0.9**lengths) / (1 - 0.9))
    np.testing.assert_array_equal(found.successes, lengths % 2 == 0)
    np.testing.assert_array_equal(found.levels, 10 + lengths)


def test_evaluate_not_biased_to_short_episodes() -> None:
    # Lengths are uniform from one to five; the first 16 to end in 16 environments would be short.
    means = [
        evaluate(ONES, clocks(SAME, 16), 16, gamma=1, seed=s).lengths.mean()
        for s in range(0, 1600, 16)
    ]
    assert np.mean(means) == pytest.approx(3.0, abs=6 * np.sqrt(2 / 1600))  # 6 standard errors


def test_evaluate_samples_by_seed_and_probabilities() -> None:
    def play(seed: int) -> Returns:
        return evaluate(ONES, clocks(SAME), 2000, gamma=1, seed=seed, deterministic=False)

    found = play(0)
    np.testing.assert_array_equal(found.undiscounted, play(0).undiscounted)
    assert not np.array_equal(found.undiscounted, play(1).undiscounted)
    steps = found.lengths.sum()
    share = found.undiscounted.sum() / steps
    assert share == pytest.approx(0.6, abs=6 * 0.49 / np.sqrt(steps))  # 6 standard errors


def test_evaluate_resets_and_restores_recurrent_state() -> None:
    for mode in MODES:
        policy = Counting()
        policy.memory = "kept"
        found = evaluate(policy, clocks(mode), 30, gamma=0.5, seed=1)
        np.testing.assert_array_equal(found.undiscounted, found.lengths >= 3)
        np.testing.assert_allclose(found.discounted, 0.25 * (found.lengths >= 3))
        assert policy.memory == "kept"


def mazes(**maze: Any) -> Any:
    settings = {"size": 7, "levels": 50, "max_episode_steps": 60, **maze}
    return gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=8,
        vectorization_mode="vector_entry_point",
        **settings,
    )


class Wanderer:
    """Policy that is mostly optimal, with exceptions by observation."""

    def action_probabilities(self, observations: Any) -> np.ndarray:
        best = ShortestPathPolicy().action_probabilities(observations)
        noise = np.random.default_rng(0).random(best.shape)
        return 0.4 * best + 0.6 * noise / noise.sum(axis=1, keepdims=True)


def test_evaluate_same_mazes_for_same_seed() -> None:
    best = evaluate(ShortestPathPolicy(), mazes(), 40, gamma=0.95, seed=2)
    other = evaluate(Wanderer(), mazes(), 40, gamma=0.95, seed=2, deterministic=False)
    np.testing.assert_array_equal(best.levels, other.levels)
    assert best.successes.all()
    assert (other.lengths >= best.lengths).all()  # the same starts, too
    assert (other.lengths > best.lengths).any()
    np.testing.assert_allclose(best.discounted, 0.95 ** (best.lengths - 1))


@pytest.mark.parametrize("mode", MODES)
def test_evaluate_knows_distances_of_starts(mode: AutoresetMode) -> None:
    found = evaluate(ShortestPathPolicy(), mazes(autoreset_mode=mode.value), 20, gamma=0.95, seed=2)
    np.testing.assert_array_equal(found.distances, found.lengths)
    assert {each.success for each in found.success_by_distance} == {1.0}
    assert sum(each.mazes for each in found.success_by_distance) >= len(set(found.levels.tolist()))
    assert (mazes().unwrapped.distances_to_goal() == -1).all()  # before the first reset
    with pytest.raises(ValueError, match=r"expected .* distances_to_goal"):
        _ = returns(np.ones(3)).success_by_distance


def test_normalised_return_of_teacher_is_one() -> None:
    interval = normalised_return(
        ShortestPathPolicy(), ShortestPathPolicy(), mazes(), 16, gamma=0.95, seed=0
    )
    assert interval == (1.0, 1.0, 1.0)
    wandering = normalised_return(
        Wanderer(), ShortestPathPolicy(), mazes(), 40, gamma=0.95, seed=0, deterministic=False
    )
    assert wandering.low < wandering.mean < wandering.high < 1.0


def returns(numbers: np.ndarray) -> Returns:
    return Returns(numbers, 2 * numbers, np.ones(len(numbers), int), numbers > 0)


def test_ratio_is_ratio_of_means() -> None:
    interval = ratio(returns(np.array([1.0, 0.0, 4.0])), returns(np.array([1.0, 3.0, 6.0])))
    assert interval.mean == pytest.approx(0.5)
    same = ratio(
        returns(np.array([1.0, 0.0, 4.0])), returns(np.array([1.0, 3.0, 6.0])), discounted=False
    )
    assert same == pytest.approx(interval)


@pytest.mark.parametrize("is_paired", [True, False])
def test_intervals_have_nominal_coverage(is_paired: bool) -> None:
    rng, covered, means, runs = np.random.default_rng(0), 0, 0, 1000
    for _ in range(runs):
        of_teacher = rng.gamma(4.0, 0.25, 60)
        of_student = of_teacher if is_paired else rng.gamma(4.0, 0.25, 60)
        interval = ratio(returns(0.8 * of_student * rng.gamma(20.0, 0.05, 60)), returns(of_teacher))
        covered += interval.low < 0.8 < interval.high
        mean = returns(of_teacher).mean_discounted
        means += mean.low < 1.0 < mean.high
    # 95% minus 1.5 points for 60 skewed episodes, and 5 standard errors.
    for found in (covered, means):
        assert found / runs == pytest.approx(0.95, abs=0.015 + 5 * np.sqrt(0.95 * 0.05 / runs))


def test_success_rate_interval_near_zero_and_one() -> None:
    def rate(successes: int, count: int) -> Any:
        flags = np.arange(count) < successes
        return Returns(np.ones(count), np.ones(count), np.ones(count, int), flags).success_rate

    # Wilson's interval, from the formula's own examples: 1 - 1 / (1 + z^2 / n) at the ends.
    z2 = 1.959964**2
    assert rate(100, 100) == pytest.approx((1.0, 1 / (1 + z2 / 100), 1.0))
    assert rate(0, 100) == pytest.approx((0.0, 0.0, z2 / 100 / (1 + z2 / 100)))
    assert rate(50, 100) == pytest.approx((0.5, 0.40383, 0.59617), abs=1e-4)


def test_evaluate_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match="episodes=1; expected a whole number of at least 2"):
        evaluate(ONES, clocks(SAME), 1, gamma=1, seed=0)
    with pytest.raises(ValueError, match="gamma=2"):
        evaluate(ONES, clocks(SAME), 3, gamma=2, seed=0)
    with pytest.raises(ValueError, match="2 episodes and 3 of the teacher"):
        ratio(returns(np.ones(2)), returns(np.ones(3)))
    with pytest.raises(ValueError, match="mean return is 0; a ratio needs one above 0"):
        ratio(returns(np.ones(3)), returns(np.zeros(3)))


def test_evaluate_refuses_endless_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Clock):
        def step(self, action: Any) -> Any:
            return self._seen(), 0.0, False, False, {}

    monkeypatch.setattr("dynamaze.distill.evaluation.MAX_EPISODE_STEPS", 50)
    with pytest.raises(RuntimeError, match="more than 50 steps; expected an environment with"):
        evaluate(ONES, SyncVectorEnv([Endless] * 2), 2, gamma=1, seed=0)
