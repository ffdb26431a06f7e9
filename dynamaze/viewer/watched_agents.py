"""Steps of any agent, one at a time, for the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from queue import Queue
from threading import Semaphore, Thread
from typing import Any

import gymnasium as gym

from dynamaze.agents import Step
from dynamaze.benchmarks.harness.agent_runs.interfaces import AgentKind, make_agent, name_of
from dynamaze.benchmarks.harness.agent_runs.policy_steps import policy_steps
from dynamaze.benchmarks.harness.agent_runs.recorder import RunComplete

from .runs import Watchable

LEARNING_STEPS = 100_000
"""Steps of a call of `learn`, on which schedules such as that of exploration depend."""


def watchable_agent(
    factory: Any, env: gym.Env[Any, Any], seed: int, steps: int | None = None
) -> Watchable:
    """Return an agent that takes its steps one at a time.

    Args:
        factory: a factory or a policy, as of `dynamaze.benchmarks.benchmark`.
        env: the environment.
        seed: of the agent and of the environment.
        steps: number of steps, if it is known, for an agent that learns by `learn`.

    Raises:
        AgentError: for an agent without the interface of one.
    """
    tap = StepTap(env)
    agent, kind = make_agent(factory, tap, seed)
    if kind is AgentKind.OURS:
        return agent  # type: ignore[no-any-return]
    if kind is AgentKind.LEARNS:
        return WatchedLearner(agent, tap, steps or LEARNING_STEPS)
    return WatchedPolicy(agent, kind, tap, seed)


class WatchedPolicy:
    """Agent that does not learn by itself.

    Attributes:
        name: its name, for messages.
    """

    def __init__(self, agent: Any, kind: AgentKind, env: gym.Env[Any, Any], seed: int) -> None:
        self.name = name_of(agent)
        self._arguments = agent, kind, env, seed

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        return policy_steps(*self._arguments)


class WatchedLearner:
    """Agent with `learn`, which takes its steps in a thread that waits after each of them.

    Args:
        agent: has `learn(total_timesteps)`, and acts in the tap.
        tap: passes its steps on.
        steps: of each call of `learn`.

    Attributes:
        name: its name, for messages.
    """

    def __init__(self, agent: Any, tap: StepTap, steps: int) -> None:
        self.name = name_of(agent)
        self._agent, self._tap, self._num_steps = agent, tap, steps

    def steps(self) -> Iterator[Step]:
        """Learn without end, one step at a time.

        Raises:
            Exception: the agent's own.
        """
        thread = Thread(target=self._learn, daemon=True)
        self._tap.is_open = True
        thread.start()
        try:
            while True:
                found = self._tap.taken.get()
                if isinstance(found, BaseException):
                    raise found
                yield found
                self._tap.continued.release()
        finally:
            self._tap.is_open = False
            self._tap.continued.release()
            thread.join()

    def _learn(self) -> None:
        try:
            while True:
                self._agent.learn(self._num_steps)
        except RunComplete:
            return
        except BaseException as error:  # passed on to the thread of the viewer
            self._tap.taken.put(error)


class StepTap(gym.Wrapper[Any, Any, Any, Any]):
    """Wrapper that passes each step on to another thread, and waits until that continues.

    Attributes:
        taken: steps, or the error that ended them.
        continued: released by the other thread after each step.
        is_open: whether steps are passed on; after it was closed a step raises `RunComplete`.
    """

    records_only = True

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.taken: Queue[Step | BaseException] = Queue()
        self.continued = Semaphore(0)
        self.is_open: bool | None = None
        self._observation: Any = None
        self._episode, self._length, self._total = -1, 0, 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a deep copy of the environment inside: steps of a search do not count."""
        return deepcopy(self.env, memo)

    @property
    def spec(self) -> Any:  # type: ignore[override]  # as of `gym.Wrapper`
        """Specification of the environment inside."""
        return self.env.spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; after the first one without a seed, which would restart the clock."""
        result = self.env.reset(seed=seed if self._episode < 0 else None, options=options)
        self._observation = result[0]
        self._episode, self._length, self._total = self._episode + 1, 0, 0.0
        return result

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step and pass it on.

        Raises:
            RunComplete: after the end.
        """
        result = self.env.step(action)
        if self.is_open is None:
            return result
        following, reward, terminated, truncated, info = result
        self._length, self._total = self._length + 1, self._total + float(reward)
        step = Step(
            self._observation,
            action,
            float(reward),
            following,
            terminated,
            truncated,
            info,
            self._episode,
            self._length,
            self._total,
        )
        self._observation = following
        self.taken.put(step)
        self.continued.acquire()
        if not self.is_open:
            raise RunComplete
        return result
