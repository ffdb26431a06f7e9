"""Runs of the adaptation suite: one agent once, and its numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.adaptation import metrics
from dynamaze.benchmarks.adaptation.settings import SuiteSetting, run_seed
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget, RunRecord
from dynamaze.benchmarks.harness.agent_runs.step_runs import run_agent, run_kind
from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.common.arrays import IntArray

NUMBERS = (
    "reward",
    "regret",
    "regret_per_step",
    "recovery",
    "horizon",
    "shortcut",
    "reward_before",
    "model_error",
    "delay",
    "false_alarms",
    "updates",
    "steps",
    "episodes",
)
"""Numbers of a run; see `metrics`. `recovery` and `delay` are infinite if censored after `horizon`
steps. NaN: not defined in the setting, or unknown of the agent."""

CURVE_POINTS = 100
"""Points of each stored curve."""


OTHER_OBSERVATIONS = ("experience", "planes")
"""Observations of agents that do not take that of a setting, as students: the cell with the last
action and reward; and the whole maze."""


class RunAgent(NamedTuple):
    """An agent of a run."""

    name: str
    factory: Any  # or a policy (see `step_runs.run_agent`)
    observation: Any = None  # what it observes; None for the observation of the setting


def refusal(agent: RunAgent, setting: SuiteSetting) -> str:
    """Return why an agent cannot serve a setting, in a sentence, or "" if it can."""
    try:
        run_kind(agent.factory, partial(setting.make_env, 0, agent.observation))
    except Exception as error:  # an agent may refuse with any error
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return ""


def fitted(agent: RunAgent, setting: SuiteSetting) -> tuple[RunAgent, str]:
    """Return an agent with an observation that it can use, and why there is none, or "".

    The observation is the setting's, or else the first of `OTHER_OBSERVATIONS` that the environment
    has and the agent accepts.
    """
    reason = refusal(agent, setting)
    if reason:
        for observation in OTHER_OBSERVATIONS:
            other = agent._replace(observation=observation)
            if not refusal(other, setting):
                return other, ""
    return agent, reason


def curve_steps(steps: int) -> IntArray:
    """Return (points,) the steps, counted from 1, at which the curves of a run are stored."""
    return np.linspace(0, steps, CURVE_POINTS + 1)[1:].round().astype(np.int64)


def trial(config: Any, agent: RunAgent, setting: SuiteSetting, number: int) -> Table:
    """Run one agent once.

    Args:
        config: not used: the suite's seeds are fixed.
        agent: the agent.
        setting: the setting.
        number: of the run.

    Returns:
        A row with the numbers of `metrics`, CPU seconds, the kind of the run, and the curve of the
        cumulative regret, (1, points).
    """
    began = time.process_time()
    record = record_run(agent, setting, number, run_seed(number))
    seconds = time.process_time() - began
    numbers = measure(record, setting, number)
    regrets = record.regrets if record.regrets.size else np.full(setting.steps, np.nan)
    return {
        **{name: np.array([float(value)]) for name, value in numbers.items()},
        "seconds": np.array([seconds]),
        "kind": np.array([record.kind]),
        "curve": regrets.cumsum()[None, curve_steps(setting.steps) - 1],
    }


def record_run(agent: RunAgent, setting: SuiteSetting, number: int, seed: int) -> RunRecord:
    """Run one agent once, in the environment of a number and with a seed."""
    return run_agent(
        agent.factory,
        partial(setting.make_env, number, agent.observation),
        Budget(setting.steps, 0),
        seed=seed,
        gamma=setting.gamma,
        read=partial(_read, steps=setting.steps),
    )


class Reading(NamedTuple):
    """What is read of an agent after its run."""

    model_error: float
    planning_updates: float
    reports: Sequence[int] | None


def _read(agent: Any, mdp: Any, *, steps: int) -> Reading:
    return Reading(
        metrics.model_error(getattr(agent, "model", None), mdp),
        metrics.planning_updates(agent, steps),
        getattr(agent, "reported_changes", None),
    )


def measure(record: RunRecord, setting: SuiteSetting, number: int) -> dict[str, float]:
    """Return the numbers of a run by the names of `NUMBERS`.

    Those that the setting does not define, or the agent or environment does not know, are NaN.
    """
    numbers = dict.fromkeys(NUMBERS, float("nan"))
    reading: Reading = record.reading
    numbers |= {
        "reward": record.rewards.sum(),
        "episodes": record.num_episodes,
        "model_error": reading.model_error,
        "updates": reading.planning_updates,
        "steps": record.num_steps,
    }
    is_known = record.regrets.size > 0
    if is_known:
        numbers["regret"] = record.regrets.sum()
        numbers["regret_per_step"] = record.regrets.mean()
    changes = record.changes[record.changes < setting.steps]
    if reading.reports is not None:
        delays, false_alarms = metrics.detection_delays(reading.reports, changes, setting.steps)
        numbers["delay"] = delays[-1] if len(delays) else np.nan
        numbers["false_alarms"] = false_alarms
    if not (setting.has_one_time_changes and len(changes)):
        return numbers
    first, last = int(changes[0]), int(changes[-1])
    episodes = metrics.finished_episodes(record.ended)
    numbers["reward_before"] = metrics.reward_before(record.rewards, first)
    numbers["horizon"] = setting.steps - last
    if is_known:
        losses = metrics.episode_losses(
            record.regrets, record.optimal_values, episodes, setting.gamma
        )
        numbers["recovery"] = metrics.recovery_time(losses, episodes, last)
    if setting.opens_shortcut:
        before = setting.make_env(number).unwrapped.shortest_path_length  # type: ignore[attr-defined]
        numbers["shortcut"] = metrics.found_shortcut(episodes, last, before)
    return numbers
