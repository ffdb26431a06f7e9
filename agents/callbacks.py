"""What may watch an agent learn: a function, Stable-Baselines3's callbacks, a progress bar."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium as gym

from dynamaze.common.optional_imports import optional_import

BAR_STEPS = 200
"""The progress bar is told every so many steps; telling it costs as much as a step."""


class Step(NamedTuple):
    """What an agent did and saw in one real step, after it has learned from it."""

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
    """Watches learning. Stable-Baselines3's callbacks are adapted to it."""

    def on_start(self) -> None:
        """Before the first step."""

    def on_step(self, step: Step) -> bool:
        """After each step; False ends learning."""

    def on_end(self) -> None:
        """After the last step."""


class Learner(Protocol):
    """The part of an agent that callbacks use."""

    num_timesteps: int
    env: gym.Env[Any, Any] | None


CallbackLike = Any
"""What `as_callback` takes."""


def as_callback(callback: CallbackLike, agent: Learner, total_timesteps: int) -> Callback:
    """One callback for whatever was given to `learn`.

    Args:
        callback: None; a function of a `Step` that ends learning by returning False; a
            Stable-Baselines3 callback; or a list of these.
        agent: who learns.
        total_timesteps: how many steps it will take.

    Raises:
        TypeError: for anything else.
    """
    if callback is None:
        return All([])
    if isinstance(callback, (list, tuple)):
        return All([as_callback(each, agent, total_timesteps) for each in callback])
    if hasattr(callback, "init_callback") and hasattr(callback, "on_step"):
        return StableBaselinesCallback(callback, agent, total_timesteps)
    if callable(callback):
        return FunctionCallback(callback)
    raise TypeError(
        f"callback={callback!r}; expected a function of a Step, a Stable-Baselines3 callback or "
        "a list of these"
    )


class All:
    """Several callbacks as one; learning ends when one of them says so."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks

    def on_start(self) -> None:
        """Before the first step."""
        for callback in self._callbacks:
            callback.on_start()

    def on_step(self, step: Step) -> bool:
        """After each step, every one of them is told."""
        answers = [callback.on_step(step) for callback in self._callbacks]
        return all(answers)

    def on_end(self) -> None:
        """After the last step."""
        for callback in self._callbacks:
            callback.on_end()


class FunctionCallback:
    """A plain function of a step."""

    def __init__(self, function: Callable[[Step], Any]) -> None:
        self._function = function

    def on_start(self) -> None:
        """Nothing to do."""

    def on_step(self, step: Step) -> bool:
        """Call it; only False ends learning, None does not."""
        return self._function(step) is not False

    def on_end(self) -> None:
        """Nothing to do."""


class StableBaselinesCallback:
    """One of Stable-Baselines3's callbacks, told what its own algorithms would tell it."""

    def __init__(self, callback: Any, agent: Learner, total_timesteps: int) -> None:
        self._callback = callback
        self._agent = agent
        self._total_timesteps = total_timesteps

    def on_start(self) -> None:
        """Introduce the agent and begin."""
        self._callback.init_callback(self._agent)
        # Its algorithms count the steps of the whole life, as the agent does.
        until = self._agent.num_timesteps + self._total_timesteps
        self._callback.on_training_start({"total_timesteps": until}, {})
        self._callback.on_rollout_start()

    def on_step(self, step: Step) -> bool:
        """Tell it the step under the names that its algorithms use."""
        self._callback.update_locals(
            {
                "self": self._agent,
                "infos": [step.info],
                "rewards": [step.reward],
                "dones": [step.terminated or step.truncated],
            }
        )
        return bool(self._callback.on_step())

    def on_end(self) -> None:
        """Say that it is over."""
        self._callback.on_rollout_end()
        self._callback.on_training_end()


class Logger:
    """What callbacks record, by name; the little of Stable-Baselines3's logger that they use."""

    def __init__(self) -> None:
        self.name_to_value: dict[str, Any] = {}

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        """Keep the latest value of a name."""
        self.name_to_value[key] = value

    def dump(self, step: int = 0) -> None:
        """Nothing is written; read `name_to_value`."""


def as_vec_env(env: gym.Env[Any, Any]) -> Any:
    """An environment as the vector of one that Stable-Baselines3's callbacks expect."""
    vec_env = optional_import(
        "stable_baselines3.common.vec_env", extra="distill", purpose="a Stable-Baselines3 callback"
    )
    return vec_env.DummyVecEnv([lambda: env])


def with_progress_bar(steps: Iterable[Step], total: int) -> Iterator[Step]:
    """The same steps, with a bar in the terminal that shows episodes and their mean return."""
    from rich.progress import Progress, TimeRemainingColumn

    with Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn()) as bar:
        task = bar.add_task("learning", total=total)
        returns: deque[float] = deque(maxlen=100)
        for number, step in enumerate(steps, 1):
            if step.terminated or step.truncated:
                returns.append(step.episode_return)
            if number % BAR_STEPS == 0 or number == total:
                mean = sum(returns) / len(returns) if returns else float("nan")
                text = f"episode {step.episode}, mean return {mean:.3g}"
                bar.update(task, completed=number, description=text)
            yield step
