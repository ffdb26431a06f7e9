"""Callbacks during learning: functions, Stable-Baselines3's callbacks, and the progress bar."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np

from dynamaze.common.compiling import compilation
from dynamaze.common.optional_imports import optional_import


class Step(NamedTuple):
    """Record of one real step, passed to callbacks after the agent has learned from it."""

    observation: Any
    action: int
    reward: float
    next_observation: Any
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    episode: int  # number of the episode, from 0
    episode_length: int  # its steps so far
    episode_return: float  # its rewards so far, not discounted


class Callback(Protocol):
    """Observer of learning; Stable-Baselines3's callbacks are adapted to this protocol."""

    def on_start(self) -> None:
        """Run before the first step."""

    def on_step(self, step: Step) -> bool:
        """Run after each step; return False to stop learning."""

    def on_end(self) -> None:
        """Run after the last step."""


class CallbackAgent(Protocol):
    """Attributes of an agent that callbacks use."""

    num_timesteps: int
    env: gym.Env[Any, Any] | None
    observation: Any
    start_time: int


CallbackLike = Any
"""An argument of `as_callback`."""


def as_callback(
    callback: CallbackLike, agent: CallbackAgent, total_timesteps: int, **arguments: Any
) -> Callback:
    """Return one callback for the `callback` argument of `learn`.

    Args:
        callback: None; a function of a `Step` that stops learning by returning False; a
            Stable-Baselines3 callback; or a list of these.
        agent: the agent that learns.
        total_timesteps: number of steps of this call of `learn`.
        **arguments: other arguments of `learn`, for Stable-Baselines3's callbacks.

    Raises:
        TypeError: for anything else.
    """
    if callback is None:
        return CallbackList([])
    if isinstance(callback, (list, tuple)):
        return CallbackList(
            [as_callback(each, agent, total_timesteps, **arguments) for each in callback]
        )
    if hasattr(callback, "init_callback") and hasattr(callback, "on_step"):
        return StableBaselinesCallback(callback, agent, total_timesteps, arguments)
    if callable(callback):
        return FunctionCallback(callback)
    raise TypeError(
        f"callback={callback!r}; expected a function of a Step, a Stable-Baselines3 callback or "
        "a list of these"
    )


class CallbackList:
    """Several callbacks as one; learning stops when any of them returns False."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks

    def on_start(self) -> None:
        """Run before the first step."""
        for callback in self._callbacks:
            callback.on_start()

    def on_step(self, step: Step) -> bool:
        """Call every callback after each step."""
        answers = [callback.on_step(step) for callback in self._callbacks]
        return all(answers)

    def on_end(self) -> None:
        """Run after the last step."""
        for callback in self._callbacks:
            callback.on_end()


class FunctionCallback:
    """Callback that calls a function of each step."""

    def __init__(self, function: Callable[[Step], Any]) -> None:
        self._function = function

    def on_start(self) -> None:
        """Do nothing."""

    def on_step(self, step: Step) -> bool:
        """Call the function; only a returned False stops learning, None does not."""
        return self._function(step) is not False

    def on_end(self) -> None:
        """Do nothing."""


class StableBaselinesCallback:
    """Adapter for a Stable-Baselines3 callback, called as by Stable-Baselines3's algorithms."""

    def __init__(
        self,
        callback: Any,
        agent: CallbackAgent,
        total_timesteps: int,
        arguments: Mapping[str, Any],
    ) -> None:
        self._callback = callback
        self._agent = agent
        self._total_timesteps = total_timesteps
        self._arguments = arguments

    def on_start(self) -> None:
        """Initialise the callback with the agent and start it."""
        self._callback.init_callback(self._agent)
        # Stable-Baselines3's algorithms count steps over all calls of `learn`, as the agent does.
        until = self._agent.num_timesteps + self._total_timesteps
        arguments = {"self": self._agent, "total_timesteps": until, **self._arguments}
        self._callback.on_training_start(arguments, {})
        self._callback.on_rollout_start()

    def on_step(self, step: Step) -> bool:
        """Pass the step under the local names that Stable-Baselines3's algorithms use."""
        self._callback.update_locals(
            {
                "self": self._agent,
                "actions": np.array([step.action]),
                "new_obs": np.array([self._agent.observation]),  # at an end of the next episode
                "rewards": np.array([step.reward], dtype=np.float32),
                "dones": np.array([step.terminated or step.truncated]),
                "infos": [vec_env_info(step, self._agent.start_time)],
            }
        )
        return bool(self._callback.on_step())

    def on_end(self) -> None:
        """End the rollout and the training."""
        self._callback.on_rollout_end()
        self._callback.on_training_end()


def episode_info(step: Step, start_time: int) -> dict[str, Any]:
    """Return return, length and end of the episode that a step ends, by the names of `Monitor`.

    Args:
        step: the last step of the episode.
        start_time: of learning, in nanoseconds since the epoch.

    Returns:
        The entry "episode" of the step's information, from a `Monitor` round the environment;
        otherwise the return "r", the length "l", and "t" in seconds since `start_time`.
    """
    found: Any = step.info.get("episode")
    if isinstance(found, dict) and found.keys() >= {"r", "l"}:
        return found
    seconds = round((time.time_ns() - start_time) / 1e9, 6)
    return {"r": round(step.episode_return, 6), "l": step.episode_length, "t": seconds}


def vec_env_info(step: Step, start_time: int) -> dict[str, Any]:
    """Return a step's information as vector environments of Stable-Baselines3 give it.

    At the end of an episode it has also "episode", "terminal_observation" and
    "TimeLimit.truncated".
    """
    if not (step.terminated or step.truncated):
        return step.info
    return {
        **step.info,
        "episode": episode_info(step, start_time),
        "terminal_observation": step.next_observation,
        "TimeLimit.truncated": step.truncated and not step.terminated,
    }


def as_vec_env(env: gym.Env[Any, Any]) -> Any:
    """Wrap an environment in a vector environment of size 1, for Stable-Baselines3's callbacks."""
    vec_env = optional_import(
        "stable_baselines3.common.vec_env", extra="distill", purpose="a Stable-Baselines3 callback"
    )
    return vec_env.DummyVecEnv([lambda: env])


def with_progress_bar(steps: Iterable[Step], total: int) -> Iterator[Step]:
    """Yield the same steps, and show a progress bar with episodes and their mean return."""
    from dynamaze.common.progress import progress_bar

    returns: deque[float] = deque(maxlen=100)

    def text() -> str:
        mean = sum(returns) / len(returns) if returns else float("nan")
        return f"episode {step.episode}, mean return {mean:.3g}"

    with compilation.announced(), progress_bar("learning", total) as show:
        for number, step in enumerate(steps, 1):
            if step.terminated or step.truncated:
                returns.append(step.episode_return)
            show(number, text)
            yield step
