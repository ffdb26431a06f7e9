"""Small environments whose observations identify the step, and policies for them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

MODES = list(AutoresetMode)


class Clock(gym.Env[Any, Any]):
    """Episodes of one to five steps; the observation is the step and the episode's length.

    Episodes of even length terminate, the others are truncated. The reward is the action.
    """

    observation_space = spaces.Box(0, 5, (2,), np.float32)

    def __init__(self, first_action: int = 0) -> None:
        self.action_space = spaces.Discrete(2, start=first_action)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.length, self.step_number = int(self.np_random.integers(1, 6)), 0
        return self._seen(), {"level": 10 + self.length}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        assert self.step_number < self.length, "a step after the end"
        self.step_number += 1
        ended, is_even = self.step_number == self.length, self.length % 2 == 0
        reward = float(action - self.action_space.start)
        return self._seen(), reward, ended and is_even, ended and not is_even, self._info()

    def _info(self) -> dict[str, Any]:
        return {"level": 10 + self.length}

    def _seen(self) -> np.ndarray:
        return np.array([self.step_number, self.length], dtype=np.float32)


class SuccessClock(Clock):
    """Clock with its own `is_success`: an episode of three steps or more."""

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "is_success": self.length >= 3}


class BoxClock(Clock):
    """Clock with two-dimensional actions, whose sum is the reward."""

    def __init__(self, first_action: int = 0) -> None:
        self.action_space = spaces.Box(np.float32([-1, -2]), np.float32([1, 4]))  # type: ignore[assignment]

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.step_number += 1
        ended, is_even = self.step_number == self.length, self.length % 2 == 0
        reward = float(action.sum())
        return self._seen(), reward, ended and is_even, ended and not is_even, self._info()


def clocks(
    mode: AutoresetMode, num_envs: int = 3, kind: type[Clock] = Clock, first_action: int = 0
) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: kind(first_action)] * num_envs, autoreset_mode=mode)


class Fixed:
    """Policy with constant probabilities."""

    def __init__(self, *probabilities: float) -> None:
        self.row = np.array(probabilities)

    def action_probabilities(self, observations: Any) -> np.ndarray:
        return np.tile(self.row, (len(observations), 1))


class Gaussian:
    """Policy of continuous actions with a constant Gaussian."""

    def __init__(self, mean: Any, log_std: Any = (-20.0, -20.0), bounds: Any = None) -> None:
        self.mean, self.log_std = np.array(mean), np.array(log_std)
        if bounds is not None:
            self.bounds = bounds

    def action_gaussian(self, observations: Any) -> tuple[np.ndarray, np.ndarray]:
        many = len(observations), 1
        return np.tile(self.mean, many), np.tile(self.log_std, many)


class Counting:
    """Recurrent policy that counts the steps since `reset`, and takes action 1 at the third."""

    memory: Any = None

    def reset(self, episode_start: Any = None) -> None:
        if self.memory is not None:
            self.memory = np.where(episode_start, 0, self.memory)

    def action_probabilities(self, observations: Any) -> np.ndarray:
        count = np.zeros(len(observations)) if self.memory is None else self.memory
        self.memory = count + 1
        return np.eye(2)[(count == 2).astype(int)]
