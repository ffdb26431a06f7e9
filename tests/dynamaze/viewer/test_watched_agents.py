"""Any agent, one step at a time."""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any

import gymnasium as gym
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ
from dynamaze.viewer.watched_agents import watchable_agent


class Learner:
    """Agent with a loop of its own."""

    def __init__(self, env: Any, seed: int) -> None:
        self.env, self.steps_taken = env, 0

    def learn(self, total_timesteps: int) -> None:
        self.env.reset(seed=1)
        for _ in range(total_timesteps):
            _, _, terminated, truncated, _ = self.env.step(1)
            self.steps_taken += 1
            if terminated or truncated:
                self.env.reset()

    def predict(self, observation: Any) -> int:
        return 0


def corridor() -> gym.Env[Any, Any]:
    return gym.make("DynaMaze-v0", layout="S.G")


def test_learner_waits_after_each_step() -> None:
    made: list[Learner] = []

    def factory(env: Any, seed: int) -> Learner:
        made.append(Learner(env, seed))
        return made[0]

    threads = threading.active_count()
    steps = watchable_agent(factory, corridor(), 0, 3).steps()
    found = list(islice(steps, 5))
    assert [step.terminated for step in found] == [False, True, False, False, True]
    assert [step.episode for step in found] == [0, 0, 1, 2, 2]  # `learn` begins anew after 3
    assert [step.observation for step in found] == [0, 1, 0, 0, 1]
    assert made[0].steps_taken <= 5
    steps.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads


def test_learner_error_is_raised() -> None:
    class Broken(Learner):
        def learn(self, total_timesteps: int) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        next(watchable_agent(Broken, corridor(), 0).steps())


def test_policy_and_own_agent() -> None:
    steps = list(islice(watchable_agent(lambda observation: 1, corridor(), 0).steps(), 4))
    assert [step.reward for step in steps] == [0.0, 1.0, 0.0, 1.0]
    assert isinstance(watchable_agent(DynaQ, corridor(), 0), DynaQ)
