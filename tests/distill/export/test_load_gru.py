"""The GRU, compiled, as ONNX and as C, step by step."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.distill import evaluate
from dynamaze.distill.export.compiled import build_policy, load_policy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.students import save_student, to_stored
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.gru import GRU

from ..exporters import Exporter, every_exporter

SHAPE, EPISODES, STEPS = (7, 7, 3), 1000, 10


def network(seed: int = 2, shape: tuple[int, ...] = SHAPE) -> GRU:
    return GRU(shape, 4, 8, seed=seed)


@every_exporter
def test_gru_exports_match_student(export: Exporter, tmp_path: Path) -> None:
    queried = np.random.default_rng(0).random((STEPS * EPISODES, *SHAPE), dtype=np.float32)
    student = network()
    policy = export(student, tmp_path, queried[0])
    parity = check_parity(student, policy, queried)  # a thousand episodes of ten steps
    assert parity.queries == len(queried)
    assert parity.same_actions == len(queried)
    np.testing.assert_allclose(policy.memory, student.memory, atol=1e-5)


@every_exporter
def test_gru_export_acts_as_student(export: Exporter, tmp_path: Path) -> None:
    queried = np.random.default_rng(1).random((40, *SHAPE), dtype=np.float32)
    student = network()
    policy = export(student, tmp_path, queried[0])
    assert [policy.act(one) for one in queried] == [student.act(one) for one in queried]
    policy.reset()
    assert policy.memory is None
    student.reset()
    alone = student.action_logits(queried[:1])
    np.testing.assert_allclose(policy.action_logits(queried[:1]), alone, atol=1e-5)


@every_exporter
def test_gru_export_starts_with_zero_state(export: Exporter, tmp_path: Path) -> None:
    queried = np.random.default_rng(2).random((6, *SHAPE), dtype=np.float32)
    policy = export(network(), tmp_path, queried[0])
    fresh = policy.action_logits(queried)
    later = policy.action_logits(queried)
    episode_start = np.array([True, False] * 3)
    assert np.abs(later - fresh).max() > 1e-3
    policy.reset(episode_start)
    mixed = policy.action_logits(queried)
    np.testing.assert_allclose(mixed[episode_start], fresh[episode_start], atol=1e-6)
    assert (np.abs(mixed - fresh).max(axis=1)[~episode_start] > 1e-4).all()
    with pytest.raises(ValueError, match="2 observations, and a state of 6"):
        policy.action_logits(queried[:2])


@every_exporter
def test_gru_export_takes_raw_images(export: Exporter, tmp_path: Path) -> None:
    queried = np.random.default_rng(3).integers(0, 256, (1000, *SHAPE), dtype=np.uint8)
    student = network()
    policy = export(student, tmp_path, queried[0])
    check_parity(student, policy, queried)


@every_exporter
def test_gru_export_plays_same_episodes(export: Exporter, tmp_path: Path) -> None:
    def played(policy: Any) -> Any:
        envs = gym.make_vec(
            "DynaMazeGenerated-v0",
            num_envs=8,
            vectorization_mode="vector_entry_point",
            size=5,
            observation={"kind": "window", "radius": 1},
            max_episode_steps=20,
        )
        return evaluate(policy, envs, 24, gamma=0.95, seed=0, deterministic=False).lengths

    shape = gym.make(
        "DynaMazeGenerated-v0", size=5, observation={"kind": "window", "radius": 1}
    ).observation_space.shape
    assert shape is not None
    student = network(shape=shape)
    policy = export(student, tmp_path, np.zeros(shape, dtype=np.float32))
    np.testing.assert_array_equal(played(policy), played(student))


def test_copied_gru_policy_has_state_of_its_own() -> None:
    queried = np.random.default_rng(5).random((6, *SHAPE), dtype=np.float32)
    policy = build_policy(to_stored(network()))
    policy.act(queried[0])
    copy, memory = deepcopy(policy), policy.memory
    for one in queried:
        assert copy.act(one) == policy.act(one)
    np.testing.assert_array_equal(copy.memory, policy.memory)
    assert not np.array_equal(policy.memory, memory)


def test_gru_file_loads_without_torch_and_refuses_misfit(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", network())
    queried = np.random.default_rng(4).random((5, *SHAPE), dtype=np.float32)
    policy = load_policy(tmp_path / "s.safetensors")
    np.testing.assert_allclose(
        policy.action_logits(queried), network().action_logits(queried), atol=1e-5
    )
    assert policy.num_parameters == network().num_parameters
    assert policy.multiply_adds(SHAPE) == network().multiply_adds(SHAPE)
    stored = to_stored(network())
    weights = {**stored.weights, "last.weight": stored.weights["last.weight"][:, :7]}
    with pytest.raises(StudentFileError, match=r"last.weight \(4, 7\); expected \(4, 8\)"):
        build_policy(stored._replace(weights=weights))
    with pytest.raises(StudentFileError, match=r"last.weight \(4, 8\); expected \(3, 8\)"):
        build_policy(stored._replace(config={**stored.config, "num_actions": 3}))
