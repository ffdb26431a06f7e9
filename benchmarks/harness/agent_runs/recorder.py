"""Record of a run: rewards, exact regrets, ends of episodes and changes of the environment."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.benchmarks.harness.agent_runs.exact_regret import RegretMeter, mdp_of
from dynamaze.benchmarks.harness.agent_runs.interfaces import AgentError
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.envs import ChangingEnv, FiniteMDP
from dynamaze.envs.base import MazeEnv


class RunComplete(BaseException):  # no `Exception`: an agent that catches those must not catch it
    """Raised by `Recorder.step` where an agent takes a step after the last one of its run."""


class Budget(NamedTuple):
    """Length of a run: real steps, or episodes; the other is 0."""

    steps: int
    episodes: int


class RunRecord(NamedTuple):
    """Record of one run. An entry is a step, or an episode where the run counts episodes."""

    rewards: FloatArray  # (entries,) rewards, or returns of episodes
    regrets: FloatArray  # (entries,) exact regrets; none where they are unknown
    lengths: IntArray  # (episodes,) steps; none where the run counts steps
    num_episodes: int  # that ended
    seconds: float
    kind: str  # "compiled", or "step by step: " and the reason
    optimal_values: FloatArray  # (steps,) V* before each step; none where regrets are unknown
    ended: BoolArray  # (steps,) whether an episode ended; none where the run counts episodes
    changes: IntArray  # (changes,) world steps from which another maze or phase held
    reading: Any = None  # result of `read`

    @property
    def num_steps(self) -> int:
        """Real steps."""
        return int(self.lengths.sum()) if self.lengths.size else len(self.rewards)


class Recorder(gym.Wrapper[Any, Any, Any, Any]):
    """Wrapper that records an agent's rewards and regrets, and ends its run.

    The first reset has the seed of the run, whatever the agent passes; later ones have none, since
    a seed would restart the clock of a maze. A copy of it is one of the environment inside, so that
    steps of a search in copies do not count.

    Args:
        env: the environment.
        budget: length of the run.
        env_seed: seed of the first reset.
        gamma: discount of the regret.
    """

    records_only = True

    def __init__(
        self, env: gym.Env[Any, Any], budget: Budget, *, env_seed: int, gamma: float
    ) -> None:
        super().__init__(env)
        self.budget = budget
        self._seed: int | None = env_seed
        self._meter = RegretMeter(env, gamma)
        self.knows_regret = self._meter.is_known
        self._rewards: FloatArray = np.zeros(budget.steps + budget.episodes)
        self._regrets: FloatArray = np.zeros(len(self._rewards) if self.knows_regret else 0)
        self._lengths: IntArray = np.zeros(budget.episodes, dtype=np.int64)
        self._values: FloatArray = np.zeros(budget.steps if self.knows_regret else 0)
        self._ended: BoolArray = np.zeros(budget.steps, dtype=np.bool_)
        self._changing = _changing_part(env)
        self._present: Any = None  # layout or phase
        self._changes: list[int] = []
        self.num_steps = 0
        self.num_episodes = 0
        self._space = env.action_space
        self._check = _checker(env.action_space)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a deep copy of the environment inside."""
        return deepcopy(self.env, memo)

    @property
    def spec(self) -> Any:  # type: ignore[override]  # as of `gym.Wrapper`
        """Specification of the environment inside."""
        return self.env.spec

    @property
    def is_complete(self) -> bool:
        """True if the run has all its steps or episodes."""
        return bool(
            self.num_steps >= self.budget.steps
            if self.budget.steps
            else self.num_episodes >= self.budget.episodes
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        seed, self._seed = self._seed, None
        result = self.env.reset(seed=seed, options=options)
        self._watch_changes()
        return result

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step and record it.

        Raises:
            RunComplete: after the last step of the run.
            AgentError: for an action outside the space.
        """
        if self.is_complete:
            raise RunComplete
        if not self._check(action):
            raise AgentError(self.refusal(action))
        entry = self.num_steps if self.budget.steps else self.num_episodes
        if self.knows_regret:  # before the step, which may change the maze
            regret, value = self._meter.look(int(action))
            self._regrets[entry] += regret
            if self.budget.steps:
                self._values[entry] = value
        result = self.env.step(action)
        ended = bool(result[2] or result[3])
        self._rewards[entry] += result[1]
        self.num_steps += 1
        if self.budget.episodes:
            self._lengths[entry] += 1
        else:
            self._ended[entry] = ended
        self.num_episodes += ended
        self._watch_changes()
        return result

    def _watch_changes(self) -> None:
        changing = self._changing
        if changing is None:
            return
        if isinstance(changing, MazeEnv):  # whose layouts are immutable
            present: Any = changing.layout
            is_same = present is self._present
        else:
            present = changing.phase
            is_same = present == self._present
        if not is_same:
            if self._present is not None:
                self._changes.append(changing.world_step)
            self._present = present

    @property
    def mdp(self) -> FiniteMDP | None:
        """The exact Markov decision process at present; None where it is not known."""
        env: Any = self.env.unwrapped
        if self.knows_regret and not isinstance(env, MazeEnv):
            return mdp_of(env)
        mdp: FiniteMDP | None = getattr(env, "mdp", None) if isinstance(env, MazeEnv) else None
        return mdp

    def refusal(self, action: Any) -> str:
        """Return the sentence about an action that the space does not have."""
        given = "no action (None)" if action is None else f"action {action!r}"
        return f"{given} at step {self.num_steps + 1}; expected one of {self._space}"

    def record(self, seconds: float, kind: str) -> RunRecord:
        """Return the record of the run.

        Raises:
            AgentError: if the run is not complete.
        """
        if not self.is_complete:
            budget = self.budget
            wanted = f"{budget.steps} steps" if budget.steps else f"{budget.episodes} episodes"
            raise AgentError(
                f"the agent ended after {self.num_steps} steps and {self.num_episodes} episodes in "
                f"the environment that it was given; expected {wanted}"
            )
        return RunRecord(
            self._rewards,
            self._regrets,
            self._lengths,
            self.num_episodes,
            seconds,
            kind,
            self._values,
            self._ended,
            np.array(self._changes, dtype=np.int64),
        )


def _changing_part(env: gym.Env[Any, Any]) -> MazeEnv | ChangingEnv | None:
    """Return the maze, or the wrapper of another environment that changes; None without."""
    while isinstance(env, gym.Wrapper) and not isinstance(env, ChangingEnv):
        env = env.env
    return env if isinstance(env, MazeEnv | ChangingEnv) else None


def _checker(space: spaces.Space[Any]) -> Callable[[Any], bool]:
    """Return a fast test of whether an action is in a space."""
    if not isinstance(space, spaces.Discrete):
        return space.contains
    first, end = int(space.start), int(space.start + space.n)

    def contains(action: Any) -> bool:
        if type(action) is int:
            return first <= action < end
        return bool(space.contains(action))

    return contains
