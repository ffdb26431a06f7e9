"""Records of an agent's training, in the manner and under the names of Stable-Baselines3."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import shown

from .callbacks import Step, episode_info
from .core.spaces import TableRows

WINDOW = 100
"""Latest episodes over which their statistics are averaged."""


class Logger:
    """Logger that only stores values by name: the methods of Stable-Baselines3's, without files.

    An agent has it until `set_logger`. Its values stay readable after `dump`.

    Attributes:
        name_to_value: name -> latest value.
    """

    dir: str | None = None

    def __init__(self) -> None:
        self.name_to_value: dict[str, Any] = {}
        self.name_to_count: dict[str, int] = defaultdict(int)
        self.name_to_excluded: dict[str, Any] = {}
        self.output_formats: list[Any] = []
        self.level = 20  # INFO

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        """Store the latest value of a name."""
        self.name_to_value[key] = value
        self.name_to_excluded[key] = exclude

    def record_mean(self, key: str, value: float | None, exclude: Any = None) -> None:
        """Store the mean of the values of a name since the last `dump`; None is left out."""
        if value is None:
            return
        count = self.name_to_count[key]
        before = self.name_to_value[key] if count else 0.0
        self.name_to_count[key] = count + 1
        self.record(key, (before * count + value) / (count + 1), exclude)

    def dump(self, step: int = 0) -> None:
        """Write nothing, and begin new means."""
        self.name_to_count.clear()

    def log(self, *args: Any, level: int = 20) -> None:
        """Write nothing; likewise `debug`, `info`, `warn` and `error`."""

    debug = info = warn = error = log

    def set_level(self, level: int) -> None:
        """Set the threshold of messages, which are not written."""
        self.level = level

    def get_dir(self) -> None:
        """Return None: there are no files."""

    def close(self) -> None:
        """Do nothing: there are no files."""


def checked_logger(logger: Any) -> Any:
    """Return a logger with the methods that records use.

    Raises:
        TypeError: for another object.
    """
    if isinstance(logger, type) or not (hasattr(logger, "record") and hasattr(logger, "dump")):
        raise TypeError(
            f"logger={shown(logger)}; expected a logger of Stable-Baselines3's `configure`, or "
            "another object with `record` and `dump`"
        )
    return logger


def tensorboard_logger(folder: str | os.PathLike[str], name: str) -> Any:
    """Return a Stable-Baselines3 logger of TensorBoard files in `folder/name_NUMBER`, a new one.

    Raises:
        TypeError: for a folder that is no path, or a name that is no text.
    """
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"tensorboard_log={shown(folder)}; expected a folder")
    if not isinstance(name, str):
        raise TypeError(f"tb_log_name={shown(name)}; expected a text")
    utils = optional_import(
        "stable_baselines3.common.utils", extra="distill", purpose="tensorboard_log"
    )
    return utils.configure_logger(0, folder, name, True)


class TrainingLog:
    """Callback that keeps an agent's episode statistics and writes records to its logger.

    Args:
        agent: the agent that learns.
        log_interval: finished episodes between two records; None for records by `dump` alone.
    """

    def __init__(self, agent: Any, log_interval: int | None) -> None:
        self._agent = agent
        self._log_interval = log_interval
        self._first_step = agent.num_timesteps
        self._episodes = 0  # of this call of `learn`
        self._records = 0
        # without a logger nothing reads the records, so that nothing is computed for them
        self._statistics = None if isinstance(agent.logger, Logger) else StepStatistics(agent)

    def on_start(self) -> None:
        """Predict the first step."""
        if self._statistics is not None:
            self._statistics.predict()

    def on_step(self, step: Step) -> bool:
        """Update the statistics, and write a record after every `log_interval` episodes."""
        if self._statistics is not None:
            self._statistics.update(step)
        if step.terminated or step.truncated:
            self._end_episode(step)
        return True

    def on_end(self) -> None:
        """Do nothing."""

    def _end_episode(self, step: Step) -> None:
        agent = self._agent
        agent.ep_info_buffer.append(episode_info(step, agent.start_time))
        if step.info.get("is_success") is not None:
            agent.ep_success_buffer.append(step.info["is_success"])
        self._episodes += 1
        is_due = self._log_interval is not None and self._episodes % self._log_interval == 0
        if is_due and not isinstance(agent.logger, Logger):
            self.dump()

    def dump(self) -> None:
        """Write a record of the present statistics."""
        agent, logger = self._agent, self._agent.logger
        self._records += 1
        seconds = max((time.time_ns() - agent.start_time) / 1e9, sys.float_info.epsilon)
        if agent.ep_info_buffer:
            for name, key in (("ep_rew_mean", "r"), ("ep_len_mean", "l")):
                values = [episode[key] for episode in agent.ep_info_buffer]
                logger.record(f"rollout/{name}", float(np.mean(values)))
        if agent.ep_success_buffer:
            logger.record("rollout/success_rate", float(np.mean(agent.ep_success_buffer)))
        logger.record("time/fps", int((agent.num_timesteps - self._first_step) / seconds))
        counts = {
            "episodes": agent.num_episodes,
            "iterations": self._records,
            "time_elapsed": int(seconds),
            "total_timesteps": agent.num_timesteps,
        }
        for name, count in counts.items():  # the horizontal axes of TensorBoard
            logger.record(f"time/{name}", count, exclude="tensorboard")
        if self._statistics is not None:
            for name, value in self._statistics.collect().items():
                logger.record(f"dyna/{name}", value)
        logger.dump(step=agent.num_timesteps)


class StepStatistics:
    """Means over the real steps since the last record. Uses no random numbers of the agent.

    - `regret`: exact regret of the actions, where the environment has a method `regret(gamma)`
      that returns it for all (states, actions), and the agent observes the state's number
    - `model_error`: in a table, the fraction of steps from tried pairs whose next state or
      termination the model mispredicted; in models of vectors the root mean square error of the
      next vector
    - `reward_error`: mean absolute error of the predicted rewards of the same steps
    - `planning_updates`: number of updates, of a planner that counts them; otherwise its planning
      steps, of which a model of little confidence takes fewer

    Args:
        agent: the agent that learns.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._is_tabular = isinstance(agent.encoder, TableRows)
        # continuous actions have a placeholder for the number of actions
        self._predicts = "predict" in agent.model.capabilities and agent.num_actions > 1
        self._regret_of = _regret_function(agent)
        self._regret: FloatArray | None = None
        self._prediction: Any = None  # of each action at the present observation
        self._updates = self._count_updates()
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def predict(self) -> None:
        """Compute the regret and the model's prediction of each action at the next step."""
        agent = self._agent
        self._regret = self._prediction = None
        if agent.observation is None:  # the environment is reset by the first step
            return
        state = agent.encoder.one(agent.observation)
        self._regret = None if self._regret_of is None else self._regret_of(state)
        if self._predicts and not getattr(agent.model, "is_empty", False):
            actions = np.arange(agent.num_actions)
            self._prediction = agent.model.predict(np.array([state] * len(actions)), actions)

    def update(self, step: Step) -> None:
        """Compare a step with its prediction, and predict the next one."""
        agent = self._agent
        action = step.action - agent.first_action
        if self._regret is not None:
            self._add("regret", float(self._regret[action]))
        prediction = self._prediction
        # a table's prediction of a pair that was never tried is a mere default
        if prediction is not None and (prediction.visits[action] or not self._is_tabular):
            following = agent.encoder.one(step.next_observation)
            self._add("reward_error", abs(float(prediction.reward[action]) - step.reward))
            self._add("model_error", self._model_error(prediction, action, following, step))
        self._counts["steps"] += 1
        self.predict()

    def _model_error(self, prediction: Any, action: int, following: Any, step: Step) -> float:
        predicted = prediction.next_observation[action]
        if not self._is_tabular:
            return float(np.mean((predicted - following) ** 2))
        ends = bool(prediction.terminated[action] > 0.5)
        return float(ends != step.terminated or (not ends and predicted != following))

    def _add(self, name: str, value: float) -> None:
        self._sums[name] += value
        self._counts[name] += 1

    def collect(self) -> dict[str, float]:
        """Return the statistics by name, and begin new ones."""
        found = {name: value / self._counts[name] for name, value in self._sums.items()}
        if "model_error" in found and not self._is_tabular:
            found["model_error"] **= 0.5
        updates = self._count_updates()
        if updates is not None and self._updates is not None:
            found["planning_updates"] = updates - self._updates
        elif hasattr(self._agent.planning, "planning_steps"):
            steps = self._agent.planning.planning_steps
            found["planning_updates"] = steps * self._counts["steps"]
        self._updates = updates
        self._clear()
        return found

    def _count_updates(self) -> int | None:
        count: int | None = getattr(self._agent.planning, "num_updates", None)
        return count


def _regret_function(agent: Any) -> Callable[[int], FloatArray] | None:
    """Return a function from a table row to the (actions,) exact regret; None if unknown."""
    env = agent.env
    find = getattr(env.unwrapped, "regret", None)
    # only of the environment's own observations, which are the numbers of its states
    same = env.observation_space is env.unwrapped.observation_space
    if find is None or not same or not isinstance(agent.encoder, TableRows):
        return None
    try:
        table = find(agent.gamma)
    except (AttributeError, TypeError, ValueError, RuntimeError):  # such as infinite values
        return None
    if np.shape(table) != (agent.encoder.size, agent.num_actions):
        return None
    return lambda row: find(agent.gamma)[row]
