"""Records of training: the logger of an agent, and what Stable-Baselines3's callbacks read."""

from __future__ import annotations

import copy
import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, LinearDyna, PrioritisedSweeping, QLearning
from dynamaze.agents.agent import Agent


class Records:
    """Logger that keeps what it is given."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {}
        self.rows: list[tuple[int, dict[str, Any]]] = []

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        self.now[key] = value

    def dump(self, step: int = 0) -> None:
        self.rows.append((step, self.now))
        self.now = {}


def learned(agent: Agent, steps: int = 2500, **arguments: Any) -> list[tuple[int, dict[str, Any]]]:
    records = Records()
    agent.set_logger(records)
    agent.learn(steps, **arguments)
    return records.rows


def test_log_records_episodes() -> None:
    ends: list[Any] = []
    agent = DynaQ("DynaMaze-v0", planning_steps=30, seed=0)
    rows = learned(agent, callback=lambda step: ends.append(step) if step.terminated else None)
    assert len(rows) == agent.num_episodes // 4 > 2
    for number, (step, row) in enumerate(rows, 1):
        so_far = ends[: 4 * number]
        assert step == row["time/total_timesteps"] == sum(end.episode_length for end in so_far)
        assert row["rollout/ep_len_mean"] == np.mean([end.episode_length for end in so_far])
        assert row["rollout/ep_rew_mean"] == 1.0
        assert (row["time/iterations"], row["time/episodes"]) == (number, 4 * number)
        assert row["time/fps"] > 0
        assert "rollout/success_rate" not in row
    assert list(agent.ep_info_buffer)[-1].keys() == {"r", "l", "t"}


def test_log_records_success_rate() -> None:
    class Success(gym.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            *rest, info = self.env.step(action)
            return *rest, info | {"is_success": bool(rest[2])}

    env = Success(gym.make("DynaMaze-v0", max_episode_steps=100))
    agent = DynaQ(env, planning_steps=30, seed=0)
    rows = learned(agent, log_interval=1)
    assert rows[-1][1]["rollout/success_rate"] == np.mean(agent.ep_success_buffer)
    assert {False, True} == set(agent.ep_success_buffer)


def test_log_records_regret() -> None:
    steps: list[Any] = []
    env = gym.make("DynaMazeBlocking-v0")
    agent = DynaQ(env, planning_steps=30, seed=0)
    rows = learned(agent, 2500, callback=steps.append, log_interval=1)
    tables = [env.unwrapped.schedule.layouts[phase] for phase in (0, 1)]  # type: ignore[attr-defined]
    from dynamaze.envs.mazes.regret import stationary_values

    regrets = [stationary_values(table, agent.gamma).regret(0) for table in tables]
    exact = [regrets[n >= 1000][step.observation, step.action] for n, step in enumerate(steps)]
    # the environment is reset by the first step, so that its regret is not known
    bounds = [1, *(step for step, _ in rows)]
    for (first, last), (_, row) in zip(pairwise(bounds), rows, strict=True):
        assert row["dyna/regret"] == pytest.approx(np.mean(exact[first:last]))


def test_log_records_model_error() -> None:
    rows = learned(DynaQ("DynaMazeBlocking-v0", planning_steps=30, seed=0), 2500, log_interval=1)
    errors = {step: row["dyna/model_error"] for step, row in rows if "dyna/model_error" in row}
    assert {error for step, error in errors.items() if step <= 1000} == {0.0}
    assert max(error for step, error in errors.items() if step > 1000) > 0.0
    cart = DynaQ("MountainCar-v0", model="linear", values="tile_coding", seed=0)
    ((_, row),) = learned(cart, 200, log_interval=1)
    assert 0 < row["dyna/model_error"] < 0.1
    assert 0 < row["dyna/reward_error"] < 1


@pytest.mark.parametrize("planning", ["uniform", "prioritised_sweeping"])
def test_log_records_planning_updates(planning: str) -> None:
    agent = DynaQ("DynaMaze-v0", planning=planning, planning_steps=20, seed=0)
    rows = learned(agent)
    total = sum(row["dyna/planning_updates"] for _, row in rows)
    if planning == "uniform":
        assert total == 20 * rows[-1][0]
    else:
        assert isinstance(agent.planning, PrioritisedSweeping)
        assert 0 < total <= agent.planning.num_updates


@pytest.mark.parametrize("model", ["latest_outcome", "maximum_likelihood", "linear", "ensemble"])
def test_log_leaves_learning_unchanged(model: str) -> None:
    agents = [DynaQ("DynaMazeBlocking-v0", model=model, planning_steps=2, seed=3) for _ in "ab"]
    steps = 40 if model == "ensemble" else 300
    assert learned(agents[0], steps, log_interval=1) is not None
    agents[1].learn(steps)
    for part in ("values", "model", "planning"):
        states = [getattr(agent, part).get_state() for agent in agents]
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            np.testing.assert_array_equal(value, states[1][name])
    assert agents[0].rng.random() == agents[1].rng.random()


def test_learn_resets_count() -> None:
    agent = QLearning("DynaMaze-v0", seed=0).learn(300)
    world_step = agent.env.unwrapped.world_step  # type: ignore[union-attr]
    agent.learn(10, reset_num_timesteps=True)
    assert (agent.num_timesteps, agent.num_episodes, agent.episode_length) == (10, 0, 10)
    assert agent.env.unwrapped.world_step == world_step + 10  # type: ignore[union-attr]


@pytest.mark.parametrize("log_interval", [0, -1, 1.5, True, "4"])
def test_learn_rejects_log_interval(log_interval: Any) -> None:
    agent = QLearning("DynaMaze-v0", seed=0)
    with pytest.raises((TypeError, ValueError), match="log_interval="):
        agent.learn(10, log_interval=log_interval)
    assert agent.num_timesteps == 0


@pytest.mark.parametrize("logger", [None, "stdout", Records, print])
def test_set_logger_rejects_others(logger: Any) -> None:
    with pytest.raises(TypeError, match="logger="):
        QLearning("DynaMaze-v0").set_logger(logger)


@pytest.mark.parametrize(
    ("folder", "name", "argument"), [(5, "run", "tensorboard_log=5"), (".", None, "tb_log_name=")]
)
def test_learn_rejects_tensorboard_names(folder: Any, name: Any, argument: str) -> None:
    agent = QLearning("DynaMaze-v0", seed=0)
    agent.tensorboard_log = folder
    with pytest.raises(TypeError, match=argument):
        agent.learn(10, tb_log_name=name)
    assert agent.num_timesteps == 0


def test_default_logger_has_sb3_methods() -> None:
    logger = QLearning("DynaMaze-v0").logger
    for value in (1.0, None, 3.0):
        logger.record_mean("mean", value)
    logger.info("nothing")
    logger.dump(3)
    logger.record_mean("mean", 5.0)
    logger.set_level(50)
    logger.close()
    assert (logger.name_to_value, logger.get_dir()) == ({"mean": 5.0}, None)


def test_agent_with_open_logger_is_copied(tmp_path: Path) -> None:
    agent = QLearning("DynaMaze-v0", seed=0)
    with (tmp_path / "log").open("w") as file:
        records: Any = Records()
        records.file = file
        agent.set_logger(records)
        agent.learn(5)
        for twin in (copy.deepcopy(agent), cloudpickle.loads(cloudpickle.dumps(agent))):
            assert twin.learn(5).num_timesteps == 10
        assert agent.logger is records


def test_sb3_logger_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure: Any = pytest.importorskip("stable_baselines3.common.logger").configure
    pytest.importorskip("tensorboard")
    agent = LinearDyna("DynaMaze-v0", planning_steps=5, seed=0)
    agent.set_logger(configure(str(tmp_path), ["stdout", "csv", "tensorboard"]))
    agent.learn(2500, log_interval=2)
    agent.logger.close()
    assert "ep_rew_mean" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "progress.csv").read_text().splitlines()))
    assert len(rows) == agent.num_episodes // 2 > 0
    assert float(rows[-1]["rollout/ep_rew_mean"]) == 1.0
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_tensorboard_log_makes_one_folder_a_run(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("tensorboard")
    agent = QLearning("DynaMaze-v0", seed=0)
    agent.tensorboard_log = str(tmp_path)
    agent.learn(5, tb_log_name="q").learn(5, tb_log_name="q")
    agent.learn(5, tb_log_name="q", reset_num_timesteps=True)
    agent.logger.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q_1", "q_2"]


def test_sb3_callbacks_find_what_they_use(tmp_path: Path) -> None:
    callbacks: Any = pytest.importorskip("stable_baselines3.common.callbacks")
    from stable_baselines3.common.monitor import Monitor

    class Watch(callbacks.BaseCallback):  # type: ignore[misc]
        episodes = 0

        def _on_training_start(self) -> None:
            assert self.locals.keys() >= {"self", "total_timesteps", "tb_log_name", "log_interval"}
            assert self.training_env is self.model.get_env()
            assert (self.model.n_envs, self.model.get_vec_normalize_env()) == (1, None)
            assert self.model.action_space == self.training_env.action_space
            assert self.model.observation_space == self.training_env.observation_space
            # WandbCallback shows all attributes in its configuration
            assert all(len(str(value)) < 5000 for value in vars(self.model).values())

        def _on_step(self) -> bool:
            assert self.locals["rewards"].shape == self.locals["dones"].shape == (1,)
            assert self.locals["actions"].shape == self.locals["new_obs"].shape == (1,)
            if self.locals["dones"].any():
                info = self.locals["infos"][0]
                self.episodes += 1
                assert (info["episode"]["r"], info["TimeLimit.truncated"]) == (1.0, False)
                assert info["terminal_observation"] == 8  # the goal; `new_obs` is the start
                assert self.locals["new_obs"] == [18]
            return True

    watch = Watch()
    agent = DynaQ("DynaMaze-v0", planning_steps=30, seed=0)
    evaluation = callbacks.EvalCallback(
        Monitor(gym.make("DynaMaze-v0", max_episode_steps=100)),
        callbacks.StopTrainingOnRewardThreshold(0.9),
        callbacks.StopTrainingOnNoModelImprovement(3),
        n_eval_episodes=1,
        eval_freq=500,
        verbose=0,
    )
    every = callbacks.EveryNTimesteps(400, callbacks.CheckpointCallback(1, str(tmp_path)))
    log = callbacks.LogEveryNTimesteps(300)
    records = Records()
    agent.set_logger(records)
    agent.learn(5000, callbacks.CallbackList([watch, evaluation, every, log]), log_interval=None)
    assert agent.num_timesteps < 5000  # the reward's threshold
    assert watch.episodes == agent.num_episodes
    assert {300, 500} <= {step for step, _ in records.rows}
    assert (tmp_path / "rl_model_400_steps.zip").exists()
