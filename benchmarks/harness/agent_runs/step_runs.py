"""Runs of any agent in any environment, compiled where it can be, else step by step.

An agent is what a factory returns when it is called as `factory(env, seed=int)`; `AgentKind` lists
what it may be. Its rewards are recorded by a wrapper of its environment, whatever the agent does.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from enum import Enum
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.agents import Agent, Step
from dynamaze.agents.core.rng import as_sequence, make_generator
from dynamaze.agents.policies import policy_episodes
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import (
    CompiledRun,
    compiled_obstacle,
)
from dynamaze.benchmarks.harness.agent_runs.exact_regret import RegretMeter, mdp_of
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.envs import ChangingEnv, FiniteMDP
from dynamaze.envs.base import MazeEnv

ENV_STREAM = 2
"""Random stream of a run's seed that seeds the environment, the same for every agent."""

COMPILED = "compiled"
"""Kind of a compiled run; that of another one begins with `STEP_BY_STEP`."""

STEP_BY_STEP = "step by step"


class AgentError(ValueError):
    """An agent without the interface of one, or an action that the environment does not have."""


class RunComplete(BaseException):  # no `Exception`: an agent that catches those must not catch it
    """Raised by `Recorder.step` where an agent takes a step after the last one of its run."""


class AgentKind(Enum):
    """Interface of an agent."""

    OURS = "an agent of dynamaze.agents"
    ACTS = "an object with act"
    LEARNS = "an object with learn and predict"
    PREDICTS = "an object with predict"
    FUNCTION = "a function of observations"


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


Factory = Callable[..., Any]
"""Called as `factory(env, seed=int)`; returns an agent."""


def run_agent(
    factory: Any,
    make_env: Callable[[], gym.Env[Any, Any]],
    budget: Budget,
    *,
    seed: int,
    gamma: float,
    read: Callable[[Any, FiniteMDP | None], Any] | None = None,
) -> RunRecord:
    """Run a fresh agent in a fresh environment.

    Args:
        factory: a factory, or a policy: an object or a function of observations (see
            `is_factory`). It is copied first, so that a run leaves no trace in it.
        make_env: makes the environment.
        budget: length of the run.
        seed: of the agent; the seed of the environment is derived from it.
        gamma: discount of the exact regret.
        read: called after the run with the agent and the exact MDP at present, None where it is
            not known; its result is the record's `reading`.

    Raises:
        AgentError: for an agent without the interface of one, or an action outside the space.
        Exception: the agent's own.
    """
    recorder = Recorder(make_env(), budget, env_seed=derived_env_seed(seed), gamma=gamma)
    try:
        agent, kind = make_agent(factory, recorder, seed)
        reason = _obstacle(agent, kind)
        if not reason:
            return _run_compiled(agent, budget, gamma if recorder.knows_regret else None, read)
        began = time.perf_counter()
        with suppress(RunComplete):
            RUN_KINDS[kind](agent, recorder)
        seconds = time.perf_counter() - began
        record = recorder.record(seconds, f"{STEP_BY_STEP}: {reason}")
        if read is None:
            return record
        return record._replace(reading=read(agent, recorder.mdp))
    finally:
        recorder.close()


def derived_env_seed(seed: int) -> int:
    """Return the seed of the environment of a run: that of an `Agent` with the same seed."""
    return int(make_generator(as_sequence(seed), ENV_STREAM).integers(2**31))


def run_kind(factory: Any, make_env: Callable[[], gym.Env[Any, Any]]) -> str:
    """Return the kind of the runs of an agent, without taking a step."""
    recorder = Recorder(make_env(), Budget(1, 0), env_seed=0, gamma=0.0)
    try:
        reason = _obstacle(*make_agent(factory, recorder, 0))
        return f"{STEP_BY_STEP}: {reason}" if reason else COMPILED
    finally:
        recorder.close()


# -- agents ------------------------------------------------------------------------------------


def is_factory(given: Any) -> bool:
    """Return True for what can be called as `given(env, seed=int)`; a class is one always."""
    if inspect.isclass(given):
        return True
    return callable(given) and not _acts(given) and _accepts(given, 1, seed=0)


def make_agent(factory: Any, env: gym.Env[Any, Any], seed: int) -> tuple[Any, AgentKind]:
    """Make the agent of a run from a copy of a factory, or copy a policy.

    Returns:
        The agent and its interface. An object that is no factory is a policy; it learns only where
        it has both `act` and `update`.

    Raises:
        AgentError: for a class that does not accept `(env, seed=...)`, or an agent without the
            interface of one.
    """
    factory = independent_copy(factory)
    if not is_factory(factory):
        return factory, policy_kind(factory)
    if not _accepts(factory, env, seed=seed):
        raise AgentError(
            f"{name_of(factory)} cannot be called with (env, seed=...); expected a factory that can"
        )
    agent = factory(env, seed=seed)
    return agent, agent_kind(agent, env)


def independent_copy(given: Any) -> Any:
    """Return a deep copy, or the object itself where it cannot be copied."""
    try:
        return deepcopy(given)
    except Exception:  # an object may refuse with any error
        return given


def agent_kind(agent: Any, env: gym.Env[Any, Any]) -> AgentKind:
    """Return the interface of an agent that a factory made.

    Raises:
        AgentError: if it has none, or if an agent of `dynamaze.agents` has another environment.
    """
    if isinstance(agent, Agent):
        if not _is_inside(env, agent.env):
            raise AgentError(
                f"{name_of(agent)} has the environment {agent.env}; expected the one that its "
                "factory was called with"
            )
        return AgentKind.OURS
    learns = hasattr(agent, "learn") and hasattr(agent, "predict")
    if learns and not (hasattr(agent, "act") and hasattr(agent, "update")):
        return AgentKind.LEARNS
    return policy_kind(agent)


def policy_kind(agent: Any) -> AgentKind:
    """Return the interface of an agent that does not learn by itself.

    Raises:
        AgentError: if it has none.
    """
    if hasattr(agent, "act"):
        return AgentKind.ACTS
    if hasattr(agent, "predict"):
        return AgentKind.PREDICTS
    if callable(agent):
        return AgentKind.FUNCTION
    kinds = "; ".join(kind.value for kind in AgentKind)
    given = "None" if agent is None else f"of type {type(agent).__name__}"
    raise AgentError(f"agent {given}; expected one of: {kinds}")


def _obstacle(agent: Any, kind: AgentKind) -> str:
    """Return the reason why an agent runs step by step, or ""."""
    if kind is AgentKind.OURS:
        return compiled_obstacle(agent)
    return f"{name_of(agent)} is {kind.value}"


def _is_inside(env: gym.Env[Any, Any], outer: Any) -> bool:
    """Return True if an environment is another one, or inside its wrappers."""
    while outer is not env and isinstance(outer, gym.Wrapper):
        outer = outer.env
    return outer is env


def _acts(given: Any) -> bool:
    return hasattr(given, "act") or hasattr(given, "predict")


def _accepts(function: Any, *arguments: Any, **keywords: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except (TypeError, ValueError):
        return False
    return True


def _takes(function: Any, keyword: str) -> bool:
    """Return True if a function has a parameter of that name."""
    try:
        return keyword in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def name_of(agent: Any) -> str:
    """Return the name of a function or class, or that of an object's class."""
    return getattr(agent, "__name__", type(agent).__name__)


# -- the environment ---------------------------------------------------------------------------


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


# -- runs by kind ------------------------------------------------------------------------------


def _run_compiled(
    agent: Agent,
    budget: Budget,
    regret_gamma: float | None,
    read: Callable[[Any, FiniteMDP | None], Any] | None,
) -> RunRecord:
    began = time.perf_counter()
    run = CompiledRun(agent, regret_gamma)
    result = run.advance(*budget)
    seconds = time.perf_counter() - began
    return RunRecord(
        result.rewards if budget.steps else result.episode_returns,
        result.regrets,
        result.episode_steps,
        int(result.num_episodes),
        seconds,
        COMPILED,
        result.optimal_values,
        result.ended,
        run.changes,
        None if read is None else read(agent, run.mdp),
    )


def run_ours(agent: Agent, env: Recorder) -> None:
    """Run an agent of `dynamaze.agents` by its own loop."""
    for _ in agent.steps():
        if env.is_complete:
            break


def run_learner(agent: Any, env: Recorder) -> None:
    """Let an agent with `learn` learn; it may want more steps than the run has.

    Raises:
        AgentError: where the run counts episodes, as `learn` counts steps.
    """
    if not env.budget.steps:
        raise AgentError(
            f"{name_of(agent)} learns by learn(total_timesteps), in a run of {env.budget.episodes} "
            "episodes; expected a number of steps"
        )
    agent.learn(env.budget.steps)


def run_policy(agent: Any, env: Recorder) -> None:
    """Let an agent act that does not learn by itself."""
    for _ in policy_steps(agent, policy_kind(agent), env):
        if env.is_complete:
            break


RUN_KINDS: dict[AgentKind, Callable[[Any, Recorder], None]] = {
    AgentKind.OURS: run_ours,
    AgentKind.LEARNS: run_learner,
    AgentKind.ACTS: run_policy,
    AgentKind.PREDICTS: run_policy,
    AgentKind.FUNCTION: run_policy,
}


# -- policies ----------------------------------------------------------------------------------


def policy_steps(
    agent: Any, kind: AgentKind, env: gym.Env[Any, Any], seed: int | None = None
) -> Iterator[Step]:
    """Return the steps of an agent that does not learn by itself, one episode after another.

    Args:
        agent: has `act`, `predict`, or is a function of observations. With `act` it may have
            `update`, which is called after each step, and `reset`, before each episode.
        kind: its interface.
        env: the environment.
        seed: of the first reset.

    Raises:
        AgentError: for an `update` with other arguments, or an agent that needs action masks where
            the environment has none.
    """
    policy = PredictPolicy(agent, env) if kind is AgentKind.PREDICTS else agent
    act: Callable[[Any], Any] = agent if kind is AgentKind.FUNCTION else policy.act
    update = _update_of(policy)
    reset = getattr(policy, "reset", None)
    as_action = _action_reader(env)
    return policy_episodes(
        lambda observation: as_action(act(observation)),
        env,
        seed,
        on_reset=reset if reset is not None and _accepts(reset) else None,
        update=update,
    )


def _update_of(agent: Any) -> Callable[..., Any] | None:
    """Return an agent's method `update`, or None.

    Raises:
        AgentError: if it has other arguments.
    """
    update: Callable[..., Any] | None = getattr(agent, "update", None)
    if update is not None and not _accepts(update, *range(6)):
        raise AgentError(
            f"{name_of(agent)}.update cannot be called with (observation, action, reward, "
            "next_observation, terminated, truncated); expected an update that can"
        )
    return update


class PredictPolicy:
    """Policy of an object with `predict`, as of Stable-Baselines3.

    A recurrent one keeps its state. One whose `predict` takes `action_masks` (MaskablePPO) gets
    those of the environment.

    Raises:
        AgentError: if it takes masks and the environment has no `action_masks()`.
    """

    def __init__(self, agent: Any, env: gym.Env[Any, Any]) -> None:
        self._predict = agent.predict
        self._masks: Callable[[], Any] | None = None
        if _takes(self._predict, "action_masks"):
            if not env.has_wrapper_attr("action_masks"):
                raise AgentError(
                    f"{name_of(agent)} needs action masks; expected an environment with "
                    "action_masks()"
                )
            self._masks = env.get_wrapper_attr("action_masks")
        self._is_recurrent = _accepts(self._predict, 0, state=None, episode_start=None)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._state: Any = None
        self._starts = True

    def act(self, observation: Any) -> Any:
        """Return the action for an observation."""
        more: dict[str, Any] = {} if self._masks is None else {"action_masks": self._masks()}
        if self._is_recurrent:
            more |= {"state": self._state, "episode_start": np.array([self._starts])}
        answer = self._predict(observation, **more)
        self._starts = False
        if isinstance(answer, tuple) and len(answer) == 2:
            answer, self._state = answer
        return answer


def _action_reader(env: gym.Env[Any, Any]) -> Callable[[Any], Any]:
    """Return a function that reads an action: numbers of any type, as the environment takes them.

    Toy-text takes no arrays, and `Box` no floats of more digits than its own.
    """
    space = env.action_space
    if isinstance(space, spaces.Discrete):
        return lambda action: int(action) if np.ndim(action) == 0 and _is_whole(action) else action
    if isinstance(space, spaces.Box):
        return lambda action: None if action is None else np.asarray(action, dtype=space.dtype)
    return lambda action: action


def _is_whole(action: Any) -> bool:
    return isinstance(action, int | np.integer) or (
        isinstance(action, np.ndarray) and np.issubdtype(action.dtype, np.integer)
    )
