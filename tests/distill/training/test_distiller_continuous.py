"""End to end: continuous teachers in a continuous maze, and their students."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import dynamaze  # noqa: F401
from dynamaze.distill.data.rollouts import Rollouts, collect
from dynamaze.distill.evaluation import evaluate, normalised_return, ratio
from dynamaze.distill.students.composite import ActorCritic, GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.training.distiller import Distiller

MAZE = "S...\n##..\n##.G"
LOW, HIGH = [-1.0, -1.0], [1.0, 1.0]
GOAL = np.array([2.5, 3.5])


def mazes(num_envs: int = 4) -> Any:
    return gym.make_vec(
        "DynaMazeContinuous-v0",
        num_envs=num_envs,
        vectorization_mode="sync",
        layout=MAZE,
        max_episode_steps=60,
    )


class Turning:
    """Teacher that goes right along the first row, and then straight to the goal."""

    def action_gaussian(self, observations: Any) -> Any:
        at = np.asarray(observations, dtype=np.float64)
        target = np.where(at[:, 1:] < 2.4, [0.5, 2.8], GOAL)
        mean = np.clip(target - at, -1, 1)
        return mean, np.full_like(mean, -1.5)

    def state_values(self, observations: Any) -> Any:
        return 0.9 ** (2 * np.abs(np.asarray(observations) - GOAL).sum(axis=1))


def student(seed: int = 0, **more: Any) -> GaussianStudent:
    return GaussianStudent(MLP((2,), 4, 24, layers=2, seed=seed), LOW, HIGH, **more)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_student_normalised_return_near_one(beta: float) -> None:
    """With rollouts of the teacher and of the student; alone, and with a critic."""
    one, pair = student(), ActorCritic(student(1), MLP((2,), 1, 16))
    source = Rollouts(Turning(), mazes(), student=one, beta=beta)
    distiller = Distiller(
        {"one": one, "pair": pair},
        source,
        total_steps=700,
        loss="gaussian_kl",
        learning_rate=0.01,
    )
    distiller.distil()
    of_teacher = evaluate(Turning(), mazes(), 40, gamma=0.9, seed=1)
    assert of_teacher.successes.all()
    for each in (one, pair):
        normalised = ratio(evaluate(each, mazes(), 40, gamma=0.9, seed=1), of_teacher)
        assert normalised.mean > 0.95
    drawn = normalised_return(one, Turning(), mazes(), 40, gamma=0.9, seed=1, deterministic=False)
    assert drawn.mean > 0.9
    seen = collect(Turning(), mazes(), 400, np.random.default_rng(7)).rows
    error = np.abs(one.action_gaussian(seen.observations)[0] - seen.logits[:, :2])
    assert error.mean() < 0.1
    assert np.abs(pair.state_values(seen.observations) - seen.values).mean() < 0.05


@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_sb3_models_teach_continuous_actions(name: str) -> None:
    pytest.importorskip("stable_baselines3")
    from dynamaze.distill.teachers.sb3 import ALGORITHMS

    more: dict[str, Any] = {} if name == "PPO" else {"buffer_size": 10}
    env_of_model = gym.make("DynaMazeContinuous-v0", layout=MAZE)
    policy = {"net_arch": [16]}
    model = ALGORITHMS[name](
        "MlpPolicy", env_of_model, policy_kwargs=policy, device="cpu", seed=2, **more
    )
    teacher = as_teacher(model)
    last = model.policy.action_net if name == "PPO" else model.policy.actor.mu
    with torch.no_grad():  # an untrained network is nearly constant
        last.weight.mul_(100.0 if name == "PPO" else 3.0)
    one = student(squashed=name == "SAC")
    source = Rollouts(teacher, mazes(), student=one, beta=0.5)
    Distiller(one, source, total_steps=500, loss="gaussian_kl", learning_rate=0.01).distil()
    seen = collect(teacher, mazes(), 300, np.random.default_rng(7)).rows.observations
    wanted, _ = model.predict(seen, deterministic=True)
    found = one.bounds.action(one.action_gaussian(seen)[0])
    assert wanted.std(axis=0).max() > 0.1
    assert np.abs(found - wanted).mean() < 0.05
    again = np.stack([one.act(each) for each in seen[:20]])
    np.testing.assert_allclose(again, found[:20], atol=1e-5)
