"""Callbacks and the progress bar."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, QLearning, Step


def test_function_callback_stops_learning() -> None:
    steps: list[Step] = []

    def stop_after_30(step: Step) -> bool | None:
        steps.append(step)
        return False if len(steps) == 30 else None

    agent = DynaQ("DynaMaze-v0", seed=0).learn(100, stop_after_30)
    assert agent.num_timesteps == len(steps) == 30
    assert [step.info["world_step"] for step in steps] == list(range(1, 31))
    for before, after in pairwise(steps):
        assert after.observation == before.next_observation or before.terminated


def test_step_has_episode_statistics() -> None:
    ends: list[Step] = []
    agent = DynaQ("DynaMaze-v0", seed=0)
    agent.learn(3000, lambda step: ends.append(step) if step.terminated else None)
    assert [step.episode for step in ends] == list(range(agent.num_episodes))
    assert sum(step.episode_length for step in ends) + agent.episode_length == 3000
    assert {step.episode_return for step in ends} == {1.0}


def test_episode_return_sums_rewards() -> None:
    rewards: dict[int, list[float]] = {}

    def add_up(step: Step) -> None:
        rewards.setdefault(step.episode, []).append(step.reward)
        assert step.episode_return == sum(rewards[step.episode])
        assert step.episode_length == len(rewards[step.episode])

    QLearning(gym.make("CliffWalking-v1", max_episode_steps=40), seed=0).learn(150, add_up)
    assert len(rewards) == 4


def test_callback_list_calls_all() -> None:
    called: list[str] = []
    agent = DynaQ("DynaMaze-v0", seed=0)
    agent.learn(9, [lambda _: called.append("a") or len(called) < 4, lambda _: called.append("b")])
    assert called == ["a", "b"] * 3


def test_as_callback_rejects_other_objects() -> None:
    with pytest.raises(TypeError, match="callback=3"):
        DynaQ("DynaMaze-v0").learn(1, 3)


def test_progress_bar_completes(capsys: pytest.CaptureFixture[str]) -> None:
    DynaQ("DynaMaze-v0", seed=0).learn(450, progress_bar=True)
    line = capsys.readouterr().out
    assert line.startswith("learning: 450 of 450 steps, ")
    assert "/s, episode " in line


def test_sb3_evaluates_agent() -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    agent = DynaQ("DynaMaze-v0", planning_steps=30, seed=0).learn(4000)
    rewards, lengths = evaluate_policy(
        agent, Monitor(gym.make("DynaMaze-v0")), 3, return_episode_rewards=True
    )
    assert rewards == [1.0] * 3
    assert lengths == [14] * 3


def test_sb3_callbacks_observe_agent(tmp_path: Path) -> None:
    callbacks: Any = pytest.importorskip("stable_baselines3.common.callbacks")
    from stable_baselines3.common.monitor import Monitor

    class Count(callbacks.BaseCallback):  # type: ignore[misc]
        started = ended = 0

        def _on_training_start(self) -> None:
            self.started += 1

        def _on_step(self) -> bool:
            assert self.num_timesteps == self.n_calls
            assert self.locals["dones"] in ([True], [False])
            return True

        def _on_training_end(self) -> None:
            self.ended += 1

    count = Count()
    agent = DynaQ("DynaMaze-v0", planning_steps=30, seed=0)
    watchers = [
        count,
        callbacks.EvalCallback(
            Monitor(gym.make("DynaMaze-v0", max_episode_steps=100)),
            n_eval_episodes=2,
            eval_freq=1000,
            best_model_save_path=str(tmp_path),
            verbose=0,
        ),
        callbacks.CheckpointCallback(1000, str(tmp_path), "agent"),
    ]
    agent.learn(2500, watchers)
    assert (count.started, count.n_calls, count.ended) == (1, 2500, 1)
    assert agent.logger.name_to_value["eval/mean_reward"] == 1.0
    assert DynaQ.load(tmp_path / "best_model").num_timesteps in (1000, 2000)
    assert DynaQ.load(tmp_path / "agent_2000_steps.zip").num_timesteps == 2000


def test_sb3_callback_receives_steps() -> None:
    callbacks: Any = pytest.importorskip("stable_baselines3.common.callbacks")
    events: list[str] = []
    seen: list[tuple[Any, ...]] = []

    class Watch(callbacks.BaseCallback):  # type: ignore[misc]
        def _on_training_start(self) -> None:
            events.append(f"start, until {self.locals['total_timesteps']}")

        def _on_rollout_start(self) -> None:
            events.append("rollout")

        def _on_step(self) -> bool:
            assert self.locals["self"] is self.model is agent
            seen.append(tuple(self.locals[name][0] for name in ("rewards", "dones", "infos")))
            return self.num_timesteps != 130

        def _on_rollout_end(self) -> None:
            events.append("rollout over")

        def _on_training_end(self) -> None:
            events.append("end")

    agent = DynaQ(gym.make("CliffWalking-v1", max_episode_steps=40), seed=0)
    steps: list[Step] = []
    agent.learn(100, [Watch(), steps.append])
    agent.learn(100, [Watch(), steps.append])  # continues the count, and is stopped at 130
    assert agent.num_timesteps == len(steps) == 130
    expected = [(step.reward, step.terminated or step.truncated) for step in steps]
    assert [each[:2] for each in seen] == expected
    for (*_, info), step in zip(seen, steps, strict=True):
        assert info.items() >= step.info.items()
        assert ("episode" in info) == step.truncated == info.get("TimeLimit.truncated", False)
    assert any(step.truncated for step in steps)
    assert {step.reward for step in steps} == {-1, -100}
    rest = ["rollout", "rollout over", "end"]
    assert events == ["start, until 100", *rest, "start, until 200", *rest]


def test_sb3_callback_stops_agent() -> None:
    callbacks: Any = pytest.importorskip("stable_baselines3.common.callbacks")
    agent = DynaQ("DynaMaze-v0", planning_steps=30, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent.learn(10_000, callbacks.StopTrainingOnMaxEpisodes(3))
        assert agent.num_episodes == 3
        before = agent.num_timesteps
        agent.learn(10, callbacks.CallbackList([callbacks.ProgressBarCallback()]))
    assert agent.num_timesteps == before + 10
