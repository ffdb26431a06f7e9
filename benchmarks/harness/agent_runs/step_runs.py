"""Runs of any agent in any environment, compiled where it can be, else step by step.

An agent is what a factory returns when it is called as `factory(env, seed=int)`; `AgentKind` lists
what it may be. Its rewards are recorded by a wrapper of its environment, whatever the agent does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gymnasium as gym

from dynamaze.agents import Agent
from dynamaze.agents.core.rng import as_sequence, make_generator
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import CompiledRun, compiled_obstacle
from dynamaze.benchmarks.harness.agent_runs.interfaces import (
    AgentError,
    AgentKind,
    make_agent,
    name_of,
    policy_kind,
)
from dynamaze.benchmarks.harness.agent_runs.policy_steps import policy_steps
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget, Recorder, RunComplete, RunRecord
from dynamaze.envs import FiniteMDP

ENV_STREAM = 2
"""Random stream of a run's seed that seeds the environment, the same for every agent."""

COMPILED = "compiled"
"""Kind of a compiled run; that of another one begins with `STEP_BY_STEP`."""

STEP_BY_STEP = "step by step"


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


def _obstacle(agent: Any, kind: AgentKind) -> str:
    """Return the reason why an agent runs step by step, or ""."""
    if kind is AgentKind.OURS:
        return compiled_obstacle(agent)
    return f"{name_of(agent)} is {kind.value}"


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
