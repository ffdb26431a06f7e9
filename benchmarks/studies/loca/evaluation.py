"""Does an agent adapt to a local change? The evaluation of any agent, and its verdict.

An agent is judged by its greedy policy, from everywhere in the corridor, while it learns near T1
only. It is adaptive if it comes near the optimum in phase 1 and in phase 2: phase 1 says that it
can learn the task, phase 2 that it also changes what it would do where it is not. Phase 3 says
whether it learns the new task when it may go everywhere.

Where it differs from the protocol of Wan et al. (2022):

1. On the grid the return of the greedy policy is computed exactly, from the agent's action in each
   of the 100 cells, instead of as the mean of 100 episodes.
2. The optimum is computed exactly; the lines in the paper's figures, 2.525 and 1.257, are 0.07 and
   0.04 below it.
3. "Near" is a number: the share of the way from what is optimal in the other task (who is there in
   task B has not adapted) to the optimum, with an interval over runs. The paper's lines lie at 0.92
   and 0.91 of the way, so from 0.9 on counts as near.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import ceil
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.envs.mazes.mdp import FiniteMDP

from ...harness.intervals import ConfidenceInterval, mean_interval
from ...harness.runner import RunCallback
from ...harness.table import Table, rows_where, stack
from .exact_levels import Levels, exact_mdps, levels_of, returns_of
from .protocol import PHASES, LifeInPhases, Protocol, run_seed

MakeAgent = Callable[[gym.Env[Any, Any], int], Any]
"""Called with the world and a seed, it gives an agent with `learn` and `predict`."""

YES, NO, UNDECIDED = "yes", "no", "undecided"


class Verdict(NamedTuple):
    """What is said of an agent, with 95% intervals."""

    shares: tuple[ConfidenceInterval, ...]  # of the way to the optimum, in each phase
    near: tuple[str, ...]  # whether it is near the optimum: "yes", "no" or "undecided"
    adaptive: str  # the same of phases 1 and 2 together


def evaluate_loca(
    make_agent: MakeAgent, protocol: Protocol | None = None, callback: RunCallback = None
) -> Table:
    """Have agents live by the protocol, and look at them again and again.

    An agent has `learn(n)`, which lives n steps in the world that it was made with and goes on
    where the last call ended, and `predict(observation, deterministic=True)`, whose first result
    is the action. The agents of `dynamaze.agents` and of Stable-Baselines3 have both:

        from stable_baselines3 import DQN

        table = evaluate_loca(lambda world, seed: DQN("MlpPolicy", world, gamma=0.97, seed=seed))
        print(verdict_of(table).adaptive)

    Args:
        make_agent: called with the world and a seed for each run.
        protocol: None for that of Wan et al. (2022).
        callback: called after each run.

    Returns:
        A row for each look: run, step (real steps so far), phase (1 to 3), discounted_return
        (expected, of the greedy policy), optimum and other (see `Levels`).

    Raises:
        TypeError: for an agent without these methods.
        ValueError: if `learn(n)` does not live n steps, or an action is outside the space.
    """
    protocol = Protocol() if protocol is None else protocol
    tables = []
    for run in range(protocol.runs):
        tables.append(live(make_agent, protocol, run))
        if callback is not None:
            callback()
    return stack(tables)


def live(make_agent: MakeAgent, protocol: Protocol, run: int) -> Table:
    """One run of `evaluate_loca`; the same arguments, results and errors."""
    seed = run_seed(protocol, run)
    world = LifeInPhases(protocol.make_world(), protocol)
    agent = _checked(make_agent(world, seed))
    look = make_look(protocol, seed)
    mdps = exact_mdps(protocol.make_world())
    levels = {
        task: levels_of(mdps, task, protocol.gamma, protocol.look_steps) for task in ("A", "B")
    }
    rows: list[tuple[int, int, int, float, float, float]] = []
    for number, (phase, steps) in enumerate(zip(PHASES, protocol.steps, strict=True), 1):
        for _ in range(steps // protocol.every):
            _learn(agent, world, protocol.every)
            found = look(agent, phase.task)
            rows.append((run, world.lived, number, found, *levels[phase.task]))
    names = ("run", "step", "phase", "discounted_return", *Levels._fields)
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


# -- looks -------------------------------------------------------------------------------------


class GridLook:
    """The exact return of an agent's greedy policy on the grid.

    Args:
        protocol: says what is judged.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        world = protocol.make_world()
        self._mdps: dict[str, FiniteMDP] = exact_mdps(world)
        self._space = world.action_space
        self._states = np.flatnonzero(self._mdps["A"].start)
        observer = world.observation_encoder
        self._observations = [observer.encode(int(state), 0) for state in self._states]

    def __call__(self, agent: Any, task: str) -> float:
        """The mean return over all starts, in a task."""
        mdp = self._mdps[task]
        policy = np.zeros(mdp.next_state.shape[:2])
        for state, observation in zip(self._states, self._observations, strict=True):
            policy[state, _action(agent, observation, self._space)] = 1.0
        values = returns_of(mdp, policy, self._protocol.gamma, self._protocol.look_steps)
        return float(mdp.start @ values)


class EpisodesLook:
    """The mean return of an agent's greedy policy over episodes.

    Args:
        protocol: says what is judged.
        seed: of the worlds.
    """

    def __init__(self, protocol: Protocol, seed: int) -> None:
        self._protocol = protocol
        self._worlds = {task: protocol.make_world(task=task) for task in ("A", "B")}
        for world in self._worlds.values():
            world.reset(seed=seed)

    def __call__(self, agent: Any, task: str) -> float:
        """The mean return, in a task."""
        episodes = range(self._protocol.look_episodes)
        return float(np.mean([self._episode(agent, self._worlds[task]) for _ in episodes]))

    def _episode(self, agent: Any, world: Any) -> float:
        observation, _ = world.reset()
        total, discount = 0.0, 1.0
        for _ in range(self._protocol.look_steps):
            action = _action(agent, observation, world.action_space)
            observation, reward, terminated, _, _ = world.step(action)
            total += discount * reward
            discount *= self._protocol.gamma
            if terminated:
                break
        return total


def make_look(protocol: Protocol, seed: int) -> Callable[[Any, str], float]:
    """What looks at an agent in a protocol's world."""
    return GridLook(protocol) if protocol.world == "grid" else EpisodesLook(protocol, seed)


# -- agents ------------------------------------------------------------------------------------


def _checked(agent: Any) -> Any:
    for name in ("learn", "predict"):
        if not callable(getattr(agent, name, None)):
            raise TypeError(
                f"agent {agent!r} has no method {name!r}; expected learn(total_timesteps) and "
                "predict(observation, deterministic=True)"
            )
    return agent


def _learn(agent: Any, world: LifeInPhases, steps: int) -> None:
    """Have an agent live so many steps."""
    before = world.lived
    goes_on = "reset_num_timesteps" in signature(agent.learn).parameters
    more = {"reset_num_timesteps": False} if goes_on else {}  # Stable-Baselines3 begins anew else
    agent.learn(steps, **more)
    if world.lived - before != steps:
        raise ValueError(
            f"learn({steps}) of {type(agent).__name__} lived {world.lived - before} steps in the "
            f"world that it was made with; expected {steps}: an algorithm that learns from "
            "rollouts needs a length that divides `every`"
        )


def _action(agent: Any, observation: Any, space: gym.Space[Any]) -> Any:
    """The agent's greedy action, one of the space."""
    answer = agent.predict(observation, deterministic=True)
    action = answer[0] if isinstance(answer, tuple) else answer
    if isinstance(space, gym.spaces.Discrete) and np.size(action) == 1:
        action = np.asarray(action).reshape(())[()]
    if not space.contains(action):
        raise ValueError(
            f"predict({observation!r}) of {type(agent).__name__} gave the action {action!r}; "
            f"expected one of {space}"
        )
    return action


# -- the verdict -------------------------------------------------------------------------------


def verdict_of(table: Table, protocol: Protocol | None = None) -> Verdict:
    """What the looks at one agent say.

    It is near the optimum in a phase if the interval of its share of the way lies at `near` or
    above, and is not if it lies below; where the line is within the interval, that is undecided.

    Args:
        table: what `evaluate_loca` returned; of at least two runs.
        protocol: says what is near; None for that of Wan et al. (2022).

    Raises:
        ValueError: for fewer than two runs.
    """
    protocol = Protocol() if protocol is None else protocol
    shares = tuple(
        mean_interval(shares_of(rows_where(table, "phase", number), protocol.last))
        for number in range(1, len(PHASES) + 1)
    )
    near = tuple(_is_near(share, protocol.near) for share in shares)
    return Verdict(shares, near, _both(*near[:2]))


def shares_of(table: Table, last: float) -> npt.NDArray[np.float64]:
    """(runs,) the share of the way to the optimum, in the last looks of one phase.

    Args:
        table: rows of one phase.
        last: the share of the looks that count.
    """
    way = (table["discounted_return"] - table["other"]) / (table["optimum"] - table["other"])
    steps = np.unique(table["step"])
    counts = table["step"] >= steps[-ceil(last * len(steps))]
    return np.array([way[counts & (table["run"] == run)].mean() for run in np.unique(table["run"])])


def _is_near(share: ConfidenceInterval, near: float) -> str:
    if share.low >= near:
        return YES
    return NO if share.high < near else UNDECIDED


def _both(first: str, second: str) -> str:
    if NO in (first, second):
        return NO
    return YES if first == second == YES else UNDECIDED
