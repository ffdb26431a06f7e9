"""A teacher trained by PPO: its worlds, its network, and that it trains, resumes and is stored."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch
from rich.console import Console

from dynamaze.benchmarks.distillation.checkpoints import checkpoint
from dynamaze.benchmarks.distillation.mazes import HELD_OUT
from dynamaze.benchmarks.distillation.ppo_vec_env import STARTS, MazeWorlds, time_limit
from dynamaze.benchmarks.distillation.teacher_ppo import (
    JUDGED_BY,
    PlanesFeatures,
    TeacherPPO,
    Training,
    main,
    train,
)
from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.files.students import load_student
from dynamaze.distill.students.conv import at_cells
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.teachers import as_teacher
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    ShortestPathPolicy,
    query_all_cells,
    split_queries,
    steps_to_goal,
)

RECIPE = MazeGenerator(5)


def worlds(reach: int, mazes: LevelRange = LevelRange(0, 100), **more: Any) -> MazeWorlds:  # noqa: B008
    settings = {"num_envs": 40, "at_once": 8, "rng": np.random.default_rng(0), **more}
    return MazeWorlds(RECIPE, mazes, reach, **settings)


def best(planes: np.ndarray) -> np.ndarray:
    return ShortestPathPolicy().action_probabilities(planes).argmax(axis=1)


def steps_left(seen: np.ndarray) -> np.ndarray:
    """Steps from each agent to the goal."""
    whole = seen.copy()
    whole[:, 1] = (seen[:, 0] == 0) & (seen[:, 2] == 0)
    left = np.full(seen[:, 1].shape, 0)
    left[whole[:, 1] > 0.5] = steps_to_goal(whole, best(whole))
    return left[seen[:, 1] > 0.5]


# -- worlds ------------------------------------------------------------------------------------


def test_episodes_begin_near_the_goal_in_the_open_mazes() -> None:
    many = worlds(3, num_envs=400, at_once=400)
    left = steps_left(many.reset())
    assert set(left) == {1, 2, 3}
    few = worlds(9, at_once=2)
    mazes = np.unique(few.reset()[:, [0, 2]].reshape(40, -1), axis=0)
    assert len(mazes) <= 2


def test_the_mazes_are_those_of_the_levels() -> None:
    one = worlds(20, LevelRange(17, 1))
    maze = RECIPE.make(17)
    seen = one.reset()
    assert (seen[:, 0] == maze.walls).all()
    assert (seen[:, 2].argmax(axis=(1)).max(axis=1) == maze.goal[0]).all()
    assert one.worlds.single_action_space.n == 4
    assert STARTS >= 15 * 15


def test_the_best_actions_are_paid_at_the_goal() -> None:
    """From up to two steps away: a step costs 0.01, the last pays 1, and a new episode begins."""
    few = worlds(2)
    seen = few.reset()
    left = steps_left(seen)
    after, rewards, over, infos = few.step(best(seen))
    np.testing.assert_array_equal(over, left == 1)
    np.testing.assert_allclose(rewards, np.where(left == 1, 1, -0.01), rtol=1e-6)
    assert set(steps_left(after[over])) <= {1, 2}
    np.testing.assert_array_equal(steps_left(after[~over]), 1)
    for i, info in enumerate(infos):
        assert ("terminal_observation" in info) == over[i]
        if over[i]:
            assert not info["TimeLimit.truncated"]
            assert (info["terminal_observation"][1] == info["terminal_observation"][2]).all()


def test_who_only_bumps_is_cut_off_and_counted_only_later() -> None:
    """Into a wall for ever: nobody arrives, and the first round is not counted."""
    far = worlds(8)
    seen = far.reset()
    limit = time_limit(8)
    for step in range(1, 2 * limit + 1):
        row, col = np.argwhere(seen[:, 1] > 0.5)[:, 1:].T
        walls = np.pad(seen[:, 0], ((0, 0), (1, 1), (1, 1)), constant_values=1)
        near = [(row, col + 1), (row + 1, col + 2), (row + 2, col + 1), (row + 1, col)]
        stopped = np.array([walls[np.arange(40), r, c] for r, c in near])
        can = stopped.any(axis=0)
        seen, _, over, infos = far.step(stopped.argmax(axis=0))
        if step == limit:
            assert over[can].all()
            assert all(infos[i]["TimeLimit.truncated"] for i in np.flatnonzero(over & can))
            assert far.ended == 0
    assert far.ended >= 40
    assert far.reached == 0 or not can.all()


# -- the network -------------------------------------------------------------------------------


def test_mazes_that_come_again_are_answered_as_if_alone() -> None:
    planes = split_queries(query_all_cells(RECIPE, range(3)))
    planes = planes[np.random.default_rng(0).permutation(len(planes))]
    space = worlds(2).observation_space
    features = PlanesFeatures(space, {"channels": 4, "blocks": 2, "seed": 1})
    seen = torch.from_numpy(planes)
    cells, asked = features.network.features(seen)
    torch.testing.assert_close(features(seen), at_cells(cells, asked), rtol=1e-5, atol=1e-6)


def test_the_default_is_large() -> None:
    assert Training(TeacherPPO()).network.num_parameters >= 1_000_000


# -- the whole ---------------------------------------------------------------------------------


def tiny(folder: Path, **more: Any) -> TeacherPPO:
    settings = {"size": 3, "steps": 20_000, "channels": 4, "blocks": 1, "mazes": 5}
    return TeacherPPO(folder / "teacher.safetensors", **{**settings, **more})


def test_episodes_begin_farther_away_when_most_succeed() -> None:
    training = Training(TeacherPPO(size=5, channels=4, blocks=1))
    reaches = []
    for ended, success in ((JUDGED_BY - 1, 1.0), (JUDGED_BY, 0.9), (JUDGED_BY, 0.91)):
        training.worlds.ended = ended
        training.go_on(success)
        reaches.append(training.reach)
    assert reaches == [2, 2, 3]
    assert training.worlds.worlds.max_episode_steps == time_limit(3)
    for _ in range(20):
        training.worlds.ended = JUDGED_BY
        training.go_on(1.0)
    assert training.reach == training.farthest == 13


def test_it_trains_resumes_and_becomes_a_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(tmp_path)
    stopped = Training(config)
    next(stopped.rollouts())
    stopped.reach = 4
    stopped.save(checkpoint(config.output))
    again = Training(config)
    again.resume(checkpoint(config.output))
    assert (again.steps_done, again.reach) == (8192, 4)
    for name, value in stopped.model.policy.state_dict().items():
        assert torch.equal(value, again.model.policy.state_dict()[name])
    adam = again.model.policy.optimizer.state_dict()["state"]
    for number, entry in stopped.model.policy.optimizer.state_dict()["state"].items():
        assert torch.equal(entry["exp_avg_sq"], adam[number]["exp_avg_sq"])
    with pytest.raises(CheckpointError, match="expected 'teacher_ppo' of"):
        Training(tiny(tmp_path, channels=5)).resume(checkpoint(config.output))
    main(config)
    told = capsys.readouterr().out
    assert "going on from step 8192" in told
    assert "return kept" in " ".join(told.split())
    assert not checkpoint(config.output).exists()
    teacher = as_teacher(load_student(config.output))
    planes = query_all_cells(MazeGenerator(3), range(2))
    assert teacher.action_logits(planes).shape == (len(split_queries(planes)), 4)


def test_the_network_gives_the_logits_of_the_policy(tmp_path: Path) -> None:
    config = tiny(tmp_path, steps=8192)
    training = Training(config)
    for _ in training.rollouts():
        pass
    asked = split_queries(query_all_cells(MazeGenerator(3), range(2)))
    mine = as_teacher(training.network).action_probabilities(asked)
    np.testing.assert_allclose(
        as_teacher(training.model).action_probabilities(asked), mine, rtol=1e-4, atol=1e-6
    )


def test_it_learns_from_rewards(tmp_path: Path) -> None:
    """3x3 mazes: at first about a tenth of the ways end at the goal, after 11 rollouts most."""
    config = tiny(tmp_path, channels=64, steps=90_000)
    planes = query_all_cells(MazeGenerator(3), range(HELD_OUT.first, HELD_OUT.first + 50))

    def success(network: Residual) -> float:
        actions = network.action_logits(planes).argmax(axis=1)
        return float((steps_to_goal(planes, actions) >= 0).mean())

    assert success(Training(config).network) < 0.3
    assert success(train(config, Console(file=io.StringIO()))) > 0.7
    assert checkpoint(config.output).exists()
