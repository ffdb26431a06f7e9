"""Evaluation of any agent's local change adaptation, and its classification.

An agent is evaluated by its greedy policy, from everywhere in the corridor, while in phase 2 it
learns near T1 only. It is adaptive if it comes near the optimum in phase 1 (it can learn the task)
and in phase 2 (it also changes its policy where it is not). Phase 3 shows whether it learns the new
task when it may start anywhere.

Differences from the protocol of Wan et al. (2022):

1. On the grid the return of the greedy policy is computed exactly, from the agent's action in each
   of the 100 cells, instead of as the mean of 100 episodes.
2. The optimum is computed exactly; the lines in the paper's figures, 2.525 and 1.257, are 0.07 and
   0.04 below it.
3. "Near" is a number: a normalised score, which is 0 for the policy that is optimal in the other
   task (an agent that has not adapted in task B) and 1 for the optimum, with an interval over runs.
   The paper's lines are scores of 0.92 and 0.91, so a score of 0.9 counts as near.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import ceil
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate, mean_interval
from dynamaze.benchmarks.harness.analysis.table import Table, from_rows, rows_where, stack
from dynamaze.benchmarks.harness.running.runner import derive_seed
from dynamaze.benchmarks.studies.loca.protocol import PHASES, LoCAProtocol, PhasedEnv
from dynamaze.benchmarks.studies.loca.reference_returns import (
    exact_mdps,
    policy_returns,
    reference_returns,
)
from dynamaze.envs.mazes.mdp import FiniteMDP

MakeAgent = Callable[[gym.Env[Any, Any], int], Any]
"""Called with the environment and a seed, returns an agent with `learn` and `predict`."""

YES, NO, UNDECIDED = "yes", "no", "undecided"


class AdaptationResult(NamedTuple):
    """Classification of an agent, with 95% intervals."""

    scores: tuple[IntervalEstimate, ...]  # normalised, in each phase
    near: tuple[str, ...]  # whether it is near the optimum: "yes", "no" or "undecided"
    adaptive: str  # the same for phases 1 and 2 together


def evaluate_loca(make_agent: MakeAgent, protocol: LoCAProtocol | None = None) -> Table:
    """Train agents by the protocol, and evaluate them regularly.

    An agent has `learn(n)`, which takes n steps in the environment that it was made with and
    continues after the last call, and `predict(observation, deterministic=True)`, whose first
    result is the action. The agents of `dynamaze.agents` and of Stable-Baselines3 have both:

        from stable_baselines3 import DQN

        table = evaluate_loca(lambda env, seed: DQN("MlpPolicy", env, gamma=0.97, seed=seed))
        print(classify_adaptation(table).adaptive)

    Args:
        make_agent: called with the environment and a seed for each run.
        protocol: None for that of Wan et al. (2022).

    Returns:
        A row for each evaluation: run, step (real steps so far), phase (1 to 3), discounted_return
        (expected, of the greedy policy), optimum and other (see `ReferenceReturns`).

    Raises:
        TypeError: for an agent without these methods.
        ValueError: if `learn(n)` does not take n steps, or an action is outside the space.
    """
    protocol = LoCAProtocol() if protocol is None else protocol
    return stack([run_agent(make_agent, protocol, run) for run in range(protocol.runs)])


def run_agent(make_agent: MakeAgent, protocol: LoCAProtocol, run: int) -> Table:
    """Run one agent as `evaluate_loca` does; the same arguments, results and errors."""
    seed = derive_seed(protocol.seed, run)
    env = PhasedEnv(protocol.make_env(), protocol)
    agent = _checked(make_agent(env, seed))
    evaluate = make_evaluator(protocol, seed)
    mdps = exact_mdps(protocol.make_env())
    references = {
        task: reference_returns(mdps, task, protocol.gamma, protocol.evaluation_steps)
        for task in ("A", "B")
    }
    rows: list[dict[str, Any]] = []
    for number, (phase, steps) in enumerate(zip(PHASES, protocol.steps, strict=True), 1):
        for _ in range(steps // protocol.evaluation_interval):
            _learn(agent, env, protocol.evaluation_interval)
            row = {"run": run, "step": env.steps_taken, "phase": number}
            found = {"discounted_return": evaluate(agent, phase.task)}
            rows.append({**row, **found, **references[phase.task]._asdict()})
    return from_rows(rows)


# -- evaluators --------------------------------------------------------------------------------


class ExactEvaluator:
    """Exact return of an agent's greedy policy on the grid.

    Args:
        protocol: discount and time limit.
    """

    def __init__(self, protocol: LoCAProtocol) -> None:
        self._protocol = protocol
        env = protocol.make_env()
        self._mdps: dict[str, FiniteMDP] = exact_mdps(env)
        self._space = env.action_space
        self._states = np.flatnonzero(self._mdps["A"].start)
        observer = env.observation_encoder
        self._observations = [observer.encode(int(state), 0) for state in self._states]

    def __call__(self, agent: Any, task: str) -> float:
        """Return the mean return over all starts, in a task."""
        mdp = self._mdps[task]
        policy = np.zeros(mdp.next_state.shape[:2])
        for state, observation in zip(self._states, self._observations, strict=True):
            policy[state, _action(agent, observation, self._space)] = 1.0
        values = policy_returns(mdp, policy, self._protocol.gamma, self._protocol.evaluation_steps)
        return float(mdp.start @ values)


class EpisodeEvaluator:
    """Mean return of an agent's greedy policy over episodes.

    Args:
        protocol: episodes, discount and time limit.
        seed: of the environments.
    """

    def __init__(self, protocol: LoCAProtocol, seed: int) -> None:
        self._protocol = protocol
        self._envs = {task: protocol.make_env(task=task) for task in ("A", "B")}
        for env in self._envs.values():
            env.reset(seed=seed)

    def __call__(self, agent: Any, task: str) -> float:
        """Return the mean return in a task."""
        episodes = range(self._protocol.evaluation_episodes)
        return float(np.mean([self._episode(agent, self._envs[task]) for _ in episodes]))

    def _episode(self, agent: Any, env: Any) -> float:
        observation, _ = env.reset()
        total, discount = 0.0, 1.0
        for _ in range(self._protocol.evaluation_steps):
            action = _action(agent, observation, env.action_space)
            observation, reward, terminated, _, _ = env.step(action)
            total += discount * reward
            discount *= self._protocol.gamma
            if terminated:
                break
        return total


def make_evaluator(protocol: LoCAProtocol, seed: int) -> Callable[[Any, str], float]:
    """Return the evaluator of a protocol's environment."""
    return (
        ExactEvaluator(protocol) if protocol.variant == "grid" else EpisodeEvaluator(protocol, seed)
    )


# -- agents ------------------------------------------------------------------------------------


def _checked(agent: Any) -> Any:
    for name in ("learn", "predict"):
        if not callable(getattr(agent, name, None)):
            raise TypeError(
                f"agent {agent!r} has no method {name!r}; expected learn(total_timesteps) and "
                "predict(observation, deterministic=True)"
            )
    return agent


def _learn(agent: Any, env: PhasedEnv, steps: int) -> None:
    """Train an agent for a number of steps."""
    before = env.steps_taken
    # Without this argument Stable-Baselines3 would restart its schedules at each call.
    is_sb3 = "reset_num_timesteps" in signature(agent.learn).parameters
    more = {"reset_num_timesteps": False} if is_sb3 else {}
    agent.learn(steps, **more)
    taken = env.steps_taken - before
    if taken != steps:
        raise ValueError(
            f"learn({steps}) of {type(agent).__name__} took {taken} steps in the environment that "
            f"it was made with; expected {steps}: an algorithm that learns from rollouts needs a "
            "rollout length that divides `evaluation_interval`"
        )


def _action(agent: Any, observation: Any, space: gym.Space[Any]) -> Any:
    """Return the agent's greedy action, checked to be in the space."""
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


# -- classification ----------------------------------------------------------------------------


def classify_adaptation(table: Table, protocol: LoCAProtocol | None = None) -> AdaptationResult:
    """Classify an agent from its evaluations.

    It is near the optimum in a phase if the interval of its normalised score is at `near` or above,
    and is not if the interval is below; if `near` is within the interval it is undecided.

    Args:
        table: a result of `evaluate_loca`, of at least two runs.
        protocol: has `near` and `last`; None for that of Wan et al. (2022).

    Raises:
        ValueError: for fewer than two runs.
    """
    protocol = LoCAProtocol() if protocol is None else protocol
    scores = tuple(
        mean_interval(normalised_scores(rows_where(table, phase=number), protocol.last))
        for number in range(1, len(PHASES) + 1)
    )
    near = tuple(_is_near(score, protocol.near) for score in scores)
    return AdaptationResult(scores, near, _both(*near[:2]))


def normalised_scores(table: Table, last: float) -> npt.NDArray[np.float64]:
    """Return the normalised score of each run in the last evaluations of one phase, (runs,).

    Args:
        table: rows of one phase.
        last: the fraction of the evaluations that count.
    """
    # 0 for the policy that is optimal in the other task, 1 for the optimum.
    score = (table["discounted_return"] - table["other"]) / (table["optimum"] - table["other"])
    steps = np.unique(table["step"])
    counts = table["step"] >= steps[-ceil(last * len(steps))]
    return np.array(
        [score[counts & (table["run"] == run)].mean() for run in np.unique(table["run"])]
    )


def _is_near(score: IntervalEstimate, near: float) -> str:
    if score.low >= near:
        return YES
    return NO if score.high < near else UNDECIDED


def _both(first: str, second: str) -> str:
    if NO in (first, second):
        return NO
    return YES if first == second == YES else UNDECIDED
