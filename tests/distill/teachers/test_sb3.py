"""Models of Stable-Baselines3 as teachers, against their own distributions."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("stable_baselines3")
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.distributions import distribution_of
from dynamaze.distill.teachers import as_teacher, teacher_labels
from dynamaze.distill.teachers.sb3 import load_sb3


class Still(gym.Env[Any, Any]):
    """Environment without dynamics."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {}


BOX = spaces.Box(-2.0, 2.0, (3,), np.float32)
THREE = spaces.Discrete(3)
TWO = spaces.Box(-1.0, 1.0, (2,), np.float32)
SEEN = np.random.default_rng(0).uniform(-2, 2, (5, 3)).astype(np.float32)


def small() -> dict[str, Any]:
    """Return new settings of a small model, since SAC modifies its arguments."""
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 1}


def make(kind: Any, observation: Any = BOX, action: Any = THREE, **more: Any) -> Any:
    buffer = {} if kind in (PPO, A2C) else {"buffer_size": 10}
    return kind("MlpPolicy", Still(observation, action), **{**small(), **buffer, **more})


@pytest.mark.parametrize("kind", [PPO, A2C])
def test_ppo_logits_match_distribution(kind: Any) -> None:
    model = make(kind)
    given = model.policy.get_distribution(torch.tensor(SEEN)).distribution
    np.testing.assert_allclose(teacher_labels(model, SEEN, 3), given.logits.detach(), rtol=1e-5)
    teacher = as_teacher(model)
    np.testing.assert_allclose(teacher.action_probabilities(SEEN), given.probs.detach(), rtol=1e-5)
    values = model.policy.predict_values(torch.tensor(SEEN)).detach().numpy()[:, 0]
    np.testing.assert_allclose(teacher.state_values(SEEN), values, rtol=1e-6)
    actions, _ = model.predict(SEEN, deterministic=True)
    np.testing.assert_array_equal(teacher.action_logits(SEEN).argmax(axis=1), actions)


def test_dqn_values_with_temperature() -> None:
    model = make(DQN)
    values = model.q_net(torch.tensor(SEEN)).detach().numpy()
    teacher = as_teacher(model, temperature=0.01)
    np.testing.assert_allclose(teacher_labels(teacher, SEEN, 3), values / 0.01, rtol=1e-5)
    np.testing.assert_allclose(teacher.state_values(SEEN), values.max(axis=1), rtol=1e-6)


@pytest.mark.parametrize("more", [{}, {"use_sde": True}])
@pytest.mark.parametrize("kind", [PPO, A2C, SAC])
def test_continuous_models_are_gaussian(kind: Any, more: Any) -> None:
    model = make(kind, action=TWO, **more)
    teacher = as_teacher(model)
    mean, log_std = teacher.action_gaussian(SEEN)
    assert mean.shape == log_std.shape == (5, 2)
    # The best action is the mean, after what the algorithm does with it.
    best, _ = model.predict(SEEN, deterministic=True)
    expected = np.tanh(mean) if kind is SAC else np.clip(mean, -1, 1)
    np.testing.assert_allclose(best, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(teacher.bounds.action(mean), best, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(teacher.act(SEEN[0]), best[0], rtol=1e-5, atol=1e-6)
    if kind is not SAC and not more:
        spread = model.policy.log_std.detach().numpy()
        np.testing.assert_allclose(log_std, np.tile(spread, (5, 1)), atol=1e-6)
    assert distribution_of(teacher) == ("squashed_gaussian" if kind is SAC else "gaussian")
    rows = np.concatenate([mean, log_std], axis=1).astype(np.float32)
    np.testing.assert_array_equal(teacher_labels(model, SEEN, 4), rows)
    if kind is not SAC:
        values = model.policy.predict_values(torch.tensor(SEEN)).detach().numpy()[:, 0]
        np.testing.assert_allclose(teacher.state_values(SEEN), values, rtol=1e-6)
    assert hasattr(teacher, "state_values") == (kind is not SAC)
    with pytest.raises(TypeError, match="temperature for continuous"):
        as_teacher(model, temperature=2.0)


def test_sac_deviation_matches_samples() -> None:
    model = make(SAC, action=TWO)
    mean, log_std = as_teacher(model).action_gaussian(SEEN[:1])
    with torch.no_grad():
        drawn = model.actor(torch.tensor(SEEN[:1]).expand(20_000, -1)).numpy()
    before = np.arctanh(np.clip(drawn.astype(np.float64), -1 + 1e-7, 1 - 1e-7))
    # Medians and quartiles are robust against rounding in the tails; 6 standard errors.
    np.testing.assert_allclose(np.median(before, axis=0), mean[0], atol=6 * 1.25 / 141)
    quarter = np.diff(np.quantile(before, [0.25, 0.75], axis=0), axis=0)[0] / 1.349
    np.testing.assert_allclose(quarter, np.exp(log_std[0]), rtol=6 * 1.17 / 141)


def test_images_transposed_and_scaled_as_model() -> None:
    space = spaces.Box(0, 255, (36, 40, 3), np.uint8)
    model = PPO("CnnPolicy", Still(space, THREE), device="cpu", seed=0, n_steps=8, batch_size=8)
    assert model.observation_space.shape == (3, 36, 40)
    seen = np.random.default_rng(0).integers(256, size=(4, 36, 40, 3), dtype=np.uint8)
    first = torch.tensor(seen.transpose(0, 3, 1, 2))
    expected = model.policy.get_distribution(first).distribution.logits.detach()
    np.testing.assert_allclose(teacher_labels(model, seen, 3), expected, rtol=1e-5)
    np.testing.assert_allclose(teacher_labels(model, first.numpy(), 3), expected, rtol=1e-5)


def test_discrete_observations_are_encoded() -> None:
    model = make(PPO, observation=spaces.Discrete(6))
    logits = teacher_labels(model, np.arange(6), 3)
    assert len(np.unique(logits.round(6), axis=0)) == 6
    np.testing.assert_array_equal(
        model.predict(np.arange(6), None, None, True)[0], logits.argmax(1)
    )


def test_observations_normalised_as_in_training() -> None:
    envs = VecNormalize(DummyVecEnv([lambda: Still(BOX, THREE)]))
    envs.obs_rms.mean[:], envs.obs_rms.var[:] = 1.0, 4.0
    model = PPO("MlpPolicy", envs, **small())
    scaled = np.clip((SEEN - 1.0) / np.sqrt(4.0 + envs.epsilon), -10, 10)
    given = model.policy.get_distribution(torch.tensor(scaled)).distribution
    np.testing.assert_allclose(teacher_labels(model, SEEN), given.logits.detach(), atol=1e-6)


def test_sb3_teacher_refuses_unsupported() -> None:
    with pytest.raises(TypeError, match="a teacher TD3"):
        as_teacher(make(TD3, action=TWO))
    with pytest.raises(TypeError, match="MultiDiscrete"):
        as_teacher(make(PPO, action=spaces.MultiDiscrete([2, 3])))


@pytest.mark.parametrize("kind", [PPO, A2C, DQN, SAC])
def test_load_sb3_warns_of_pickles(kind: Any, tmp_path: Path) -> None:
    action = TWO if kind is SAC else THREE
    model = make(kind, action=action)
    model.save(tmp_path / "teacher.zip")
    for name in ("teacher.zip", "teacher"):
        with pytest.warns(UserWarning, match="may run any code: load only what you trust"):
            loaded = load_sb3(tmp_path / name, kind.__name__)
    if kind is SAC:
        before, after = (as_teacher(each).action_gaussian(SEEN)[0] for each in (model, loaded))
    else:
        before, after = teacher_labels(model, SEEN), teacher_labels(loaded, SEEN)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("kind", [PPO, A2C, DQN, SAC, TD3])
def test_load_sb3_refuses_other_algorithm_first(kind: Any, tmp_path: Path) -> None:
    make(kind, action=TWO if kind in (SAC, TD3) else THREE).save(tmp_path / "teacher.zip")
    for algorithm in {"PPO", "A2C", "DQN", "SAC"} - {kind.__name__}:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(CheckpointError, match=f"{kind.__name__}.*; expected {algorithm}$"):
                load_sb3(tmp_path / "teacher.zip", algorithm)


def test_load_sb3_refuses_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "teacher.zip"
    make(PPO).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="not a whole file of Stable-Baselines3"):
        load_sb3(path, "PPO")
    middle = whole.index(b"policy.pth") + 400
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    with pytest.raises(CheckpointError, match="damaged"):
        load_sb3(path, "PPO")
    path.write_text("weights")
    with pytest.raises(CheckpointError, match="not a whole file"):
        load_sb3(path, "PPO")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", '{"clip_range": 1}')
    with (
        pytest.warns(UserWarning, match="pickles"),
        pytest.raises(CheckpointError, match="cannot be loaded"),
    ):
        load_sb3(path, "PPO")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_sb3(tmp_path / "missing.zip", "PPO")
    with pytest.raises(ValueError, match="did you mean 'PPO'"):
        load_sb3(path, "PPO2")


def zipped(method: int, **members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, member in members.items():
            archive.writestr(name.replace("_", "."), member)
    return content.getvalue()


SETTINGS = b'{"clip_range": 1}'
BOMB = bytes(10**7)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(zipfile.ZIP_DEFLATED, data=SETTINGS, policy_pth=BOMB), "unpack to 10,000,017 byt"),
        (
            zipped(
                zipfile.ZIP_STORED,
                data=SETTINGS,
                policy_pth=zipped(zipfile.ZIP_DEFLATED, weights=BOMB),
            ),
            "policy.pth unpacks to 10,000,000 bytes",
        ),
        (zipped(zipfile.ZIP_STORED, data=b"[" * 10**5), "nested too deeply"),
        (zipped(zipfile.ZIP_STORED, data=b"[]" + b",[]" * 300_000), "300,001 lists"),
        (zipped(zipfile.ZIP_STORED, data=b"5"), "TypeError"),
        (zipped(zipfile.ZIP_STORED, **{f"m{n}": b"" for n in range(200)}), "200 members"),
        (zipped(zipfile.ZIP_STORED, policy_pth=b""), "no item named 'data'"),
    ],
)
def test_load_sb3_refuses_bombs_before_warning(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointError, match=rf"a\.zip.*{message}"):
            load_sb3(tmp_path / "a.zip", "PPO")
