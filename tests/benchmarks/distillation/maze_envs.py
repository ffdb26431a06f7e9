"""Vector environments of small mazes for the tests of PPO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from dynamaze.benchmarks.distillation.ppo_vec_env import MazeVecEnv
from dynamaze.distill.core.levels import LevelRange
from dynamaze.envs.generation import MazeGenerator

GENERATOR = MazeGenerator(5)


def make_envs(max_distance: int, mazes: LevelRange = LevelRange(0, 100), **more: Any) -> MazeVecEnv:  # noqa: B008
    settings = {"num_envs": 40, "num_open": 8, "rng": np.random.default_rng(0), **more}
    return MazeVecEnv(GENERATOR, mazes, max_distance, **settings)
