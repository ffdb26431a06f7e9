"""Teachers with masks or a recurrent state, by small stand-ins for the models of SB3-Contrib."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.benchmarks.harness.agent_runs.interfaces import AgentError
from dynamaze.benchmarks.harness.agent_runs.policy_steps import PredictPolicy
from dynamaze.distill import FunctionSource, MultiTeacher, collect, evaluate
from dynamaze.distill.core.policy import LogitPolicy
from dynamaze.distill.teachers import as_teacher, teacher_labels

from ..small_envs import Counting, clocks

pytest.importorskip("stable_baselines3")
import torch

from dynamaze.distill.teachers.sb3 import sb3_teacher

SEEN = np.zeros((3, 2), dtype=np.float32)


class Masked(LogitPolicy):
    """Policy that is uniform over the valid actions."""

    masks: Any = None

    def action_logits(self, observations: Any) -> np.ndarray:
        return np.where(self.masks, 0.0, -10.0)


def mazes(n: int = 2) -> Any:
    return gym.make_vec(
        "DynaMaze-v0", n, layout="S.#\n..G", observation="one_hot", max_episode_steps=5
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_masks_of_each_state_reach_teacher(temperature: float) -> None:
    teacher = as_teacher(Masked(), temperature=temperature)
    labels = collect(teacher, mazes(), 30, np.random.default_rng(0)).rows
    single = gym.make("DynaMaze-v0", layout="S.#\n..G").unwrapped
    single.reset(seed=0)
    moves = single.maze.dynamics.moves.next_state
    cells = labels.observations.argmax(axis=1)
    expected = np.where(moves[cells] != cells[:, None], 0.0, -10.0 / temperature)
    np.testing.assert_allclose(labels.logits, expected)
    result = evaluate(teacher, mazes(), 6, gamma=1, seed=0, deterministic=False)
    assert len(result.lengths) == 6


def test_environment_without_masks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no action_masks\(\); expected an environment that has"):
        evaluate(Masked(), clocks("SameStep"), 3, gamma=1, seed=0)


@pytest.mark.parametrize("teacher", [Masked(), Counting()])
def test_stateful_teachers_are_refused_without_environment(teacher: Any) -> None:
    name = type(teacher).__name__
    for refused in (
        lambda: FunctionSource(teacher, lambda rng, progress: SEEN),
        lambda: MultiTeacher([teacher], lambda seen: np.zeros(3, dtype=int)),
        lambda: FunctionSource(as_teacher(teacher, temperature=2), lambda rng, progress: SEEN),
    ):
        with pytest.raises(TypeError, match=f"teacher {name} in .*; expected Rollouts or collect"):
            refused()


class Masking:
    """Model whose `predict` takes masks."""

    def predict(self, observation: Any, action_masks: Any = None) -> Any:
        return np.int64(action_masks.argmax()), None


def test_predictions_get_masks() -> None:
    env = gym.make("DynaMaze-v0", layout="S.#\n..G")
    env.reset(seed=0)
    assert PredictPolicy(Masking(), env).act(0) == 1
    with pytest.raises(AgentError, match="Masking needs action masks; expected an environment"):
        PredictPolicy(Masking(), gym.make("CartPole-v1"))


def fake_model(space: Any, **policy: Any) -> Any:
    parts = {
        "obs_to_tensor": lambda seen: (torch.as_tensor(seen), True),
        "set_training_mode": lambda mode: None,
        "squash_output": True,
        **policy,
    }
    return SimpleNamespace(
        policy=SimpleNamespace(**parts), action_space=space, get_vec_normalize_env=lambda: None
    )


def test_quantiles_are_averaged() -> None:
    quantiles = torch.arange(24.0).reshape(3, 4, 2)  # (batch, quantiles, actions)
    teacher = sb3_teacher(fake_model(spaces.Discrete(2), quantile_net=lambda seen: quantiles))
    np.testing.assert_array_equal(teacher_labels(teacher, SEEN), quantiles.mean(dim=1))


def test_gaussian_actors_are_taken_by_their_interface() -> None:
    class Actor:
        def get_action_dist_params(self, seen: Any) -> Any:
            return torch.zeros(3, 1), torch.full((3, 1), -2.0), {}

        class action_dist:  # noqa: N801
            @staticmethod
            def proba_distribution(mean: Any, log_std: Any) -> Any:
                normal = torch.distributions.Normal(mean, log_std.exp())
                return SimpleNamespace(distribution=normal)

    box = spaces.Box(-1, 1, (1,))
    teacher = sb3_teacher(fake_model(box, actor=Actor()))
    np.testing.assert_allclose(teacher_labels(teacher, SEEN), [[0, -2]] * 3, rtol=1e-6)
    assert teacher.bounds.squashed
    with pytest.raises(TypeError, match=r"SimpleNamespace with actions of Box.*no deviation"):
        sb3_teacher(fake_model(box))
    with pytest.raises(TypeError, match=r"with actions of Discrete\(2\); expected PPO, A2C, TRPO"):
        sb3_teacher(fake_model(spaces.Discrete(2)))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_recurrent_teacher_follows_episodes(temperature: float) -> None:
    """It takes action 1 at the third step, also where its probabilities are all that it has."""
    teacher = as_teacher(Counting(), temperature=temperature)
    rows = collect(teacher, clocks("NextStep"), 60, np.random.default_rng(0)).rows
    step = rows.observations[:, 0]
    np.testing.assert_array_equal(rows.logits.argmax(axis=1), step == 2)
