"""A teacher trained by PPO: network, training, checkpoint and file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch
from rich.console import Console

from dynamaze.benchmarks.distillation.mazes import HELD_OUT
from dynamaze.benchmarks.distillation.ppo_vec_env import time_limit
from dynamaze.benchmarks.distillation.teacher_ppo import (
    MIN_EPISODES,
    PlanesFeatures,
    PPOTraining,
    TeacherPPOConfig,
    main,
    train,
)
from dynamaze.benchmarks.distillation.training import checkpoint_path
from dynamaze.common.storage import CheckpointError
from dynamaze.distill.files.students import load_student
from dynamaze.distill.students.conv import at_cells
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.teachers import as_teacher
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    query_all_cells,
    split_queries,
    steps_to_goal,
)

from .maze_envs import GENERATOR, make_envs


def test_features_of_repeated_mazes() -> None:
    planes = split_queries(query_all_cells(GENERATOR, range(3)))
    planes = planes[np.random.default_rng(0).permutation(len(planes))]
    space = make_envs(2).observation_space
    features = PlanesFeatures(space, {"channels": 4, "blocks": 2, "seed": 1})
    seen = torch.from_numpy(planes)
    cells, queried = features.network.features(seen)
    torch.testing.assert_close(features(seen), at_cells(cells, queried), rtol=1e-5, atol=1e-6)


def test_default_network_is_large() -> None:
    assert PPOTraining(TeacherPPOConfig()).network.num_parameters >= 1_000_000


def small_config(folder: Path, **more: Any) -> TeacherPPOConfig:
    settings = {"size": 3, "steps": 20_000, "channels": 4, "blocks": 1, "mazes": 5}
    return TeacherPPOConfig(folder / "teacher.safetensors", **{**settings, **more})


def test_curriculum_increases_distance() -> None:
    training = PPOTraining(TeacherPPOConfig(size=5, channels=4, blocks=1))
    reaches = []
    for ended, success in ((MIN_EPISODES - 1, 1.0), (MIN_EPISODES, 0.9), (MIN_EPISODES, 0.91)):
        training.envs.episodes = ended
        training.update_curriculum(success)
        reaches.append(training.max_distance)
    assert reaches == [2, 2, 3]
    assert training.envs.env.max_episode_steps == time_limit(3)
    for _ in range(20):
        training.envs.episodes = MIN_EPISODES
        training.update_curriculum(1.0)
    assert training.max_distance == training.largest_distance == 13


def test_training_resumes_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = small_config(tmp_path)
    stopped = PPOTraining(config)
    next(stopped.rollouts())
    stopped.max_distance = 4
    stopped.save(checkpoint_path(config.output))
    again = PPOTraining(config)
    again.resume(checkpoint_path(config.output))
    assert (again.steps_done, again.max_distance) == (8192, 4)
    for name, value in stopped.model.policy.state_dict().items():
        assert torch.equal(value, again.model.policy.state_dict()[name])
    adam = again.model.policy.optimizer.state_dict()["state"]
    for number, entry in stopped.model.policy.optimizer.state_dict()["state"].items():
        assert torch.equal(entry["exp_avg_sq"], adam[number]["exp_avg_sq"])
    with pytest.raises(CheckpointError, match="expected 'teacher_ppo' of"):
        PPOTraining(small_config(tmp_path, channels=5)).resume(checkpoint_path(config.output))
    main(config)
    output = capsys.readouterr().out
    assert "continuing from step 8192" in output
    assert "normalised return" in " ".join(output.split())
    assert not checkpoint_path(config.output).exists()
    teacher = as_teacher(load_student(config.output))
    planes = query_all_cells(MazeGenerator(3), range(2))
    assert teacher.action_logits(planes).shape == (len(split_queries(planes)), 4)


def test_network_matches_policy(tmp_path: Path) -> None:
    config = small_config(tmp_path, steps=8192)
    training = PPOTraining(config)
    for _ in training.rollouts():
        pass
    queried = split_queries(query_all_cells(MazeGenerator(3), range(2)))
    expected = as_teacher(training.network).action_probabilities(queried)
    np.testing.assert_allclose(
        as_teacher(training.model).action_probabilities(queried), expected, rtol=1e-4, atol=1e-6
    )


def test_training_improves_success(tmp_path: Path) -> None:
    """3x3 mazes: the success rate is about 0.1 at first, and high after 11 rollouts."""
    config = small_config(tmp_path, channels=64, steps=90_000)
    planes = query_all_cells(MazeGenerator(3), range(HELD_OUT.first, HELD_OUT.first + 50))

    def success(network: Residual) -> float:
        actions = network.action_logits(planes).argmax(axis=1)
        return float((steps_to_goal(planes, actions) >= 0).mean())

    assert success(PPOTraining(config).network) < 0.3
    assert success(train(config, Console(file=io.StringIO()))) > 0.7
    assert checkpoint_path(config.output).exists()
