"""Proximal policy distillation: equality with PPO at weight zero, manual examples, and learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("stable_baselines3")
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch.distributions import Categorical, Normal

import dynamaze  # noqa: F401  # registers
from dynamaze.distill.core.losses import distillation_term
from dynamaze.distill.methods.proximal import ProximalDistillation, divergence
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers import as_teacher
from dynamaze.envs.mazes.optimal_values import optimal_policy

SHORT = {"n_steps": 16, "batch_size": 8, "n_epochs": 2, "device": "cpu", "seed": 3}


class Line(gym.Env[Any, Any]):
    """Environment with four random numbers; action 1, or an action above 0, is rewarded."""

    observation_space = spaces.Box(-1.0, 1.0, (4,), np.float32)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left = 5
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.left -= 1
        return self._seen(), float(np.sum(action) > 0), self.left == 0, False, {}

    def _seen(self) -> np.ndarray:
        return self.np_random.uniform(-1, 1, 4).astype(np.float32)


THREE, BOX = spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,), np.float32)


def first_is_best(observations: Any) -> np.ndarray:
    """Teacher that prefers action 0, the more the larger the first number."""
    logits = np.zeros((len(observations), 3))
    logits[:, 0] = 2 + observations[:, 0]
    return logits


def make(action_space: Any = THREE, kind: Any = ProximalDistillation, **more: Any) -> Any:
    return kind("MlpPolicy", Monitor(Line(action_space)), **{**SHORT, **more})


def weights(model: Any) -> dict[str, torch.Tensor]:
    return dict(model.policy.state_dict())


def same(one: Any, other: Any) -> bool:
    expected = weights(other)
    return all(torch.equal(value, expected[name]) for name, value in weights(one).items())


# -- PPO itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("coef", [0.0, 1e-300, lambda left: 0.0])
def test_zero_coefficient_equals_ppo(coef: Any) -> None:
    """A coefficient of 1e-300 is zero in float32, but runs all code of the term."""
    plain = make(kind=PPO).learn(64)
    student = make(teacher=first_is_best, distill_coef=coef).learn(64)
    assert same(plain, student)
    assert not same(plain, make(teacher=first_is_best, distill_coef=0.1).learn(64))


def test_coefficient_zero_skips_teacher() -> None:
    queried = []

    def teacher(observations: Any) -> np.ndarray:
        queried.append(len(observations))
        return first_is_best(observations)

    make(teacher=teacher, distill_coef=lambda left: float(left > 0.4)).learn(64)
    assert queried == [16, 16]  # once for each of two rollouts, not in each epoch


# -- the term ----------------------------------------------------------------------------------


def test_distillation_term_matches_formula() -> None:
    """Two rows: the teacher's probabilities are (1/2, 1/4, 1/4), the student's 1/3 each."""
    labels = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]))
    student_distribution = Categorical(logits=torch.zeros(2, 3))
    divergences = 0.5 * np.log(1.5) + 0.5 * np.log(0.75)
    found = divergence(labels, student_distribution)
    np.testing.assert_allclose(found, [divergences, divergences], rtol=1e-5)
    ratio = torch.log(torch.tensor([0.5, 1.5]))  # the first is clipped to 0.8
    term = float(distillation_term(ratio, found, 0.8))
    assert term == pytest.approx((0.8 + 1.5) / 2 * divergences, rel=1e-5)


def test_gaussian_divergence_matches_formula() -> None:
    student_distribution = Normal(torch.zeros(1, 2), torch.ones(1, 2))
    labels = torch.cat([torch.tensor([[1.0, 0.0]]), torch.log(torch.tensor([[1.0, 0.5]]))], 1)
    found = divergence(labels, student_distribution)
    assert float(found) == pytest.approx(0.5 + np.log(2) + (0.25 - 1) / 2, rel=1e-5)


@pytest.mark.parametrize("actions", [THREE, BOX])
def test_train_follows_full_gradient(actions: Any) -> None:
    """One epoch of one minibatch: the step of SGD against the loss written out by hand.

    In the first minibatch the ratio is 1, but its gradient is not zero.
    """
    plain = {"n_epochs": 1, "batch_size": 16, "max_grad_norm": 1e9, "normalize_advantage": False}
    plain["policy_kwargs"] = {"optimizer_class": torch.optim.SGD}  # type: ignore[assignment]
    teacher = first_is_best if actions is THREE else make(actions, PPO, seed=8)
    student = make(actions, teacher=teacher, distill_coef=0.7, learning_rate=0.5, **plain)
    student.learn(16)
    twin = make(actions, PPO, learning_rate=0.5, **plain)  # it seeds torch again
    _, callback = twin._setup_learn(16)
    twin.collect_rollouts(twin.env, callback, twin.rollout_buffer, 16)
    rows = next(twin.rollout_buffer.get(16))
    acted = rows.actions.long().flatten() if actions is THREE else rows.actions
    values, log_prob, _ = twin.policy.evaluate_actions(rows.observations, acted)
    ratio = torch.exp(log_prob - rows.old_log_prob)
    student_distribution = twin.policy.get_distribution(rows.observations).distribution
    if actions is THREE:
        logits = torch.tensor(first_is_best(rows.observations.numpy()))
        chances = torch.softmax(logits, 1)
        divergences = (chances * (torch.log(chances) - student_distribution.logits)).sum(1)
    else:
        with torch.no_grad():
            labels = teacher.policy.get_distribution(rows.observations).distribution
        divergences = torch.distributions.kl_divergence(labels, student_distribution).sum(1)
    loss = (
        -(rows.advantages * ratio).mean()
        + 0.5 * (rows.returns - values.flatten()).square().mean()
        + 0.7 * (torch.clamp(ratio, min=0.8) * divergences).mean()
    )
    twin.policy.optimizer.zero_grad()
    loss.backward()
    twin.policy.optimizer.step()
    expected = weights(twin)
    for name, value in weights(student).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_teacher_sees_unnormalised_observations() -> None:
    queried: list[np.ndarray] = []

    def teacher(observations: Any) -> np.ndarray:
        queried.append(observations)
        return first_is_best(observations)

    envs = VecNormalize(DummyVecEnv([lambda: Monitor(Line(THREE))] * 2))
    seen: list[np.ndarray] = []

    class Note(BaseCallback):
        def _on_rollout_start(self) -> None:
            seen.append(envs.get_original_obs())

        def _on_step(self) -> bool:
            seen.append(envs.get_original_obs())
            return True

    ProximalDistillation("MlpPolicy", envs, teacher=teacher, **SHORT).learn(32, callback=Note())
    in_order = np.array(seen[:-1]).swapaxes(0, 1).reshape(32, 4)  # one environment after another
    np.testing.assert_array_equal(np.concatenate(queried), in_order)


# -- files, and what is refused ------------------------------------------------------------------


def test_saved_file_has_no_teacher(tmp_path: Path) -> None:
    student = make(teacher=MLP((4,), 3), distill_coef=0.25).learn(32)
    student.save(tmp_path / "student.zip")
    loaded = ProximalDistillation.load(tmp_path / "student.zip", Monitor(Line(THREE)), device="cpu")
    assert same(student, loaded)
    assert loaded.distill_coef == 0.25
    assert loaded.teacher is None
    with pytest.raises(RuntimeError, match=r"^no teacher; expected set_teacher"):
        loaded.learn(16)
    loaded.set_teacher(first_is_best)
    loaded.learn(16)
    assert not same(student, loaded)


def test_set_teacher_refuses_mismatch() -> None:
    other = PPO("MlpPolicy", Monitor(Line(spaces.Discrete(2))), **SHORT)
    with pytest.raises(ValueError, match=r"^a teacher with action_space Discrete\(2\); expected"):
        make(teacher=other)
    wide = gym.make("DynaMaze-v0", observation="one_hot")
    with pytest.raises(ValueError, match=r"^a teacher with observation_space Box"):
        make(spaces.Discrete(4), teacher=PPO("MlpPolicy", wide, **SHORT))
    with pytest.raises(ValueError, match=r"^a teacher with action_space Discrete\(2\); expected"):
        make(teacher=as_teacher(other, temperature=2.0))
    with pytest.raises(ValueError, match=r"of shape \(5,\); expected the student's, \(4,\)"):
        make(teacher=MLP((5,), 3))
    with pytest.raises(ValueError, match=r"expected \(queries, 3\)"):
        make(teacher=MLP((4,), 2)).learn(16)
    with pytest.raises(TypeError, match="without action_gaussian"):
        make(BOX, teacher=MLP((4,), 2))
    with pytest.raises(TypeError, match="actions are squashed"):
        make(BOX, teacher=SAC("MlpPolicy", Line(BOX), buffer_size=10))
    with pytest.raises(TypeError, match=r"^actions of MultiBinary"):
        make(spaces.MultiBinary(2), teacher=first_is_best)
    with pytest.raises(ValueError, match=r"^distill_coef=-1"):
        make(teacher=first_is_best, distill_coef=-1)
    with pytest.raises(TypeError, match=r"^a teacher of type int"):
        make(teacher=7)


# -- its use -----------------------------------------------------------------------------------

STEPS = 2048
MAZE = {"observation": "one_hot", "max_episode_steps": 200}
SETTINGS = {"n_steps": 128, "batch_size": 128, "n_epochs": 4, "learning_rate": 3e-3}


class Shortest:
    """Exact policy of `DynaMaze-v0` for one-hot observations."""

    def __init__(self) -> None:
        self.table = optimal_policy(gym.make("DynaMaze-v0", **MAZE).unwrapped.layout)  # type: ignore[attr-defined]

    def action_probabilities(self, observations: Any) -> np.ndarray:
        return self.table[np.asarray(observations).argmax(axis=1)]


def reaches_goal(seed: int, kind: Any, **more: Any) -> bool:
    """Return True if the best actions reach the goal from the start within 50 steps."""
    envs = make_vec_env("DynaMaze-v0", 4, seed=seed, env_kwargs=MAZE)
    model = kind("MlpPolicy", envs, seed=seed, device="cpu", **SETTINGS, **more).learn(STEPS)
    single_env = gym.make("DynaMaze-v0", **MAZE)
    seen, _ = single_env.reset()
    for _ in range(50):
        seen, _, reached, _, _ = single_env.step(int(model.predict(seen, deterministic=True)[0]))
        if reached:
            return True
    return False


def test_teacher_speeds_up_learning() -> None:
    """After 2048 steps all 5 runs reach the goal, and none of 5 runs of PPO alone.

    If both were equal, such a difference would occur with probability 1 / 252.
    """
    assert all(reaches_goal(seed, ProximalDistillation, teacher=Shortest()) for seed in range(5))
    assert not any(reaches_goal(seed, PPO) for seed in range(5))
