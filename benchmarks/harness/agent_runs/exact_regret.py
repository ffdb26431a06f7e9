"""Exact quantities of environments that know their dynamics: regret and best possible rewards."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dynamaze.common.arrays import FloatArray
from dynamaze.envs import ChangingEnv, FiniteMDP, GridEnv, greedy_policy
from dynamaze.envs.mazes.dynamics import Dynamics
from dynamaze.envs.mazes.layout import Layout
from dynamaze.envs.mazes.regret import stationary_values

PLAIN_WRAPPERS = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
"""The wrappers of `gym.make`."""

TIE = 1e-9
"""Action values at most this much below the best count as optimal."""


LARGEST_GAMMA = 0.99
"""Largest discount of the policy whose reward rate is the best one."""


class Phase(NamedTuple):
    """Time between two changes of an environment, in world steps."""

    start: int
    end: int  # exclusive
    best_rate: float  # reward a step of an optimal policy; NaN if unknown


def is_plain_wrapper(env: gym.Env[Any, Any]) -> bool:
    """Return True for a wrapper that changes nothing of a step but truncation.

    A class of wrappers that only record declares it by `records_only = True`.
    """
    return isinstance(env, PLAIN_WRAPPERS) or getattr(type(env), "records_only", False) is True


class ExactValues(NamedTuple):
    """Optimal values of a maze, and the regret of each action."""

    values: FloatArray  # (states,) V*(s)
    regret: FloatArray  # (states, actions) V*(s) - Q*(s, a)


@lru_cache(maxsize=16)
def exact_values(layout: Layout, dynamics: type[Dynamics], gamma: float) -> ExactValues:
    """Return the optimal values and regrets of a maze that never changes again.

    All are NaN where there are no optimal values (gamma = 1, and an unbounded return). The latest
    few are cached.
    """
    try:
        if dynamics is Dynamics:
            known = stationary_values(layout, gamma)
            return ExactValues(known.values(0), known.regret(0))
        actions = dynamics(layout).mdp.optimal_action_values(gamma)  # as of LoCA
        best = actions.max(axis=1)
        return ExactValues(best, best[:, None] - actions)
    except RuntimeError:
        unknown = np.full((layout.num_cells, 4), np.nan)
        return ExactValues(unknown[:, 0], unknown)


class RegretMeter:
    """Exact regret of each action of an environment, in the maze as it is at each step.

    The regret of an action is V*(s) - Q*(s, a), the loss of expected discounted return against an
    optimal action, in a maze that never changes again. It is known of the mazes on a grid and of
    environments with the transition table `P` of toy-text (FrozenLake, Taxi, CliffWalking), also
    where `ChangingEnv` replaces the table; not behind wrappers that change actions or rewards.

    Args:
        env: the environment; not stepped.
        gamma: discount in [0, 1].

    Attributes:
        is_known: whether there are regrets.
    """

    def __init__(self, env: gym.Env[Any, Any], gamma: float) -> None:
        self._env: Any = env.unwrapped
        self._gamma = gamma
        self._layout: Layout | None = None
        self._regrets: list[list[float]] = []
        self._values: list[float] = []
        self._table: Any = None
        self._is_maze = isinstance(self._env, GridEnv)
        self.is_known = (self._is_maze and keeps_dynamics(env)) or (
            has_table(self._env) and keeps_dynamics(env, may_change=True)
        )

    def regret(self, action: int) -> float:
        """Return the regret of an action in the environment's present state."""
        return self.look(action)[0]

    def look(self, action: int) -> tuple[float, float]:
        """Return the regret of an action, and the optimal value of the present state."""
        env = self._env
        if not self._is_maze:
            if env.P is not self._table:  # nothing modifies a table
                self._table = env.P
                actions = mdp_of(env).optimal_action_values(self._gamma)
                best = actions.max(axis=1)
                self._set(ExactValues(best, best[:, None] - actions))
            state = int(env.s)
        else:
            layout: Layout = env.layout
            if layout is not self._layout:  # layouts are immutable
                self._layout = layout
                self._set(exact_values(layout, env.maze_config.dynamics, self._gamma))
            state = layout.index(env.agent)
        return self._regrets[state][action], self._values[state]

    def _set(self, exact: ExactValues) -> None:
        self._values, self._regrets = exact.values.tolist(), exact.regret.tolist()


def keeps_dynamics(env: gym.Env[Any, Any], *, may_change: bool = False) -> bool:
    """Return True if no wrapper changes actions, rewards or the ends of episodes.

    Args:
        env: the environment.
        may_change: True to allow `ChangingEnv`, by which the environment itself becomes another.
    """
    while isinstance(env, gym.Wrapper):
        is_plain = is_plain_wrapper(env) or isinstance(env, gym.ObservationWrapper)
        if not (is_plain or (may_change and isinstance(env, ChangingEnv))):
            return False
        env = env.env
    return True


def has_table(env: Any) -> bool:
    """Return True for an unwrapped environment with the table `P` and the state `s` of toy-text."""
    table = getattr(env, "P", None)
    return isinstance(table, dict) and hasattr(env, "initial_state_distrib")


def mdp_of(env: Any) -> FiniteMDP:
    """Return the exact MDP of an environment of toy-text."""
    states, actions = len(env.P), len(env.P[0])
    outcomes = max(len(env.P[s][a]) for s in range(states) for a in range(actions))
    shape = (states, actions, outcomes)
    next_state = np.zeros(shape, dtype=np.int64)
    probability, reward = np.zeros(shape), np.zeros(shape)
    terminated = np.zeros(shape, dtype=np.bool_)
    for s in range(states):
        for a in range(actions):
            for k, outcome in enumerate(env.P[s][a]):
                place = s, a, k
                probability[place], next_state[place], reward[place], terminated[place] = outcome
    start = np.asarray(env.initial_state_distrib, dtype=np.float64)
    return FiniteMDP(next_state, probability, reward, terminated, start)


def phases_of(env: gym.Env[Any, Any], steps: int, gamma: float) -> list[Phase]:
    """Return the phases of an environment within a number of steps.

    The best rate is the expected reward of an episode divided by its expected length under the
    policy that is optimal for the discount, or for 0.99 where that is larger (without a discount
    detours cost nothing), and without a time limit. It is known where the regret is
    (see `RegretMeter`), unless the changes are random or come by episodes.
    """
    maze: Any = env.unwrapped
    if not keeps_dynamics(env):
        return [Phase(0, steps, np.nan)]
    if has_table(maze) and not isinstance(maze, GridEnv):
        return [Phase(0, steps, best_rate(mdp_of(maze), gamma))]
    config = getattr(maze, "maze_config", None) if isinstance(maze, GridEnv) else None
    if config is None or config.changes_at_reset or not config.is_known:
        return [Phase(0, steps, np.nan)]
    starts = [step for step in config.schedule.steps if step < steps]
    return [
        Phase(start, end, best_rate(maze.phase_mdp(number), gamma))
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], steps], strict=True))
    ]


def best_rate(mdp: FiniteMDP, gamma: float) -> float:
    """Return the reward a step of the optimal policy, over episodes; NaN if they are endless."""
    try:
        values = mdp.optimal_action_values(min(gamma, LARGEST_GAMMA))
        policy = greedy_policy(values, tolerance=TIE)
        steps, _ = mdp.episode_steps(policy)
        return mdp.episode_return(policy) / steps
    except (RuntimeError, np.linalg.LinAlgError):
        return float("nan")
