"""Statistics of a comparison's table of runs, each with its number of runs.

Pairs are runs of one environment and seed. Several environments are given, and strata of the
bootstrap (Agarwal et al. 2021), unless they are said to be a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import (
    IntervalEstimate,
    few_runs,
    format_interval,
    proportion_interval,
)
from dynamaze.benchmarks.harness.analysis.statistics import (
    SurvivalCurve,
    censored_at,
    interquartile_mean,
    kaplan_meier,
    paired_difference,
    performance_profile_interval,
    probability_of_improvement,
    stratified_bootstrap,
)
from dynamaze.benchmarks.harness.analysis.table import Table, distinct, rows_where
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_choice, checked_integer

QUANTITIES = ("reward", "regret", "episodes", "steps")
"""Columns of which there are differences."""

SAMPLES = ("runs", "environments")
"""Over which the interval of a difference is."""

MOST_BOOTSTRAP_RUNS = 400
"""Runs up to which the probability of improvement has a bootstrap, whose time is their square."""

BOOTSTRAP_SEED = 20_210_830
"""Seed of the bootstrap's random numbers, which are not those of the runs."""


class Estimate(NamedTuple):
    """Estimate with its 95% interval and number of runs."""

    mean: float
    low: float
    high: float
    n: int  # runs, in each environment; environments where these are the sample
    is_few: bool  # too few for the interval; it may cover less than 93%

    @classmethod
    def of(cls, interval: IntervalEstimate, n: int, kind: str) -> Estimate:
        """Return the estimate of an interval of a kind (`intervals.FEW_RUNS_BY_KIND`)."""
        mean, low, high = (np.asarray(part).item() for part in interval)
        return cls(mean, low, high, n, few_runs(kind, n))

    def text(self, digits: int | None = None, minimum: float = -np.inf) -> str:
        """Return the interval as text, without n, with as many digits as it takes."""
        if digits is None:
            half = (self.high - self.low) / 2
            digits = int(np.clip(np.ceil(-np.log10(half)) + 1, 0, 4)) if half > 0 else 1
        interval = IntervalEstimate(*map(np.asarray, self[:3]))
        return format_interval(interval, digits, minimum=minimum, few=self.is_few)

    def __str__(self) -> str:
        return f"{self.text()}, n={self.n}"


def difference(
    table: Table, first: str, second: str, quantity: str = "reward", sample: str = "runs"
) -> Estimate:
    """Return the mean difference of two agents, paired by environment and run.

    It is averaged over the environments. The interval is that of the mean over `sample`, "runs" or
    "environments", and n is their number.

    Raises:
        ValueError: for an unknown name, or fewer than 2 pairs.
    """
    checked_choice("quantity", quantity, QUANTITIES)
    checked_choice("sample", sample, SAMPLES)
    axis = SAMPLES.index(sample)
    one, other = (each.mean(axis=1 - axis) for each in _pairs(table, first, second, quantity))
    return Estimate.of(paired_difference(one, other), len(one), "mean")


def improvement(table: Table, first: str, second: str) -> Estimate:
    """Return the probability that a run of one agent has more reward than one of another.

    It is that in an environment, averaged over all; equal rewards count a half. Interval: bootstrap
    stratified by environment; with many runs its limit, a normal distribution with the variance of
    DeLong et al. (1988); that of a proportion where all runs of one agent have more.

    Raises:
        ValueError: for an unknown name, or if no environment has runs of both.
    """
    pairs = _pairs(table, first, second, "reward")
    runs, envs = pairs[0].shape
    wins = [_shares_below(*columns) for columns in zip(*(each.T for each in pairs), strict=True)]
    probability = float(np.mean(wins))
    if probability in (0.0, 1.0):
        interval = proportion_interval(round(probability * runs * envs), runs * envs)
        return Estimate.of(interval, runs, "proportion")
    if runs > MOST_BOOTSTRAP_RUNS:
        losses = [
            _shares_below(*columns)
            for columns in zip(*(each.T for each in pairs[::-1]), strict=True)
        ]
        variance = (np.var(wins, axis=1, ddof=1) + np.var(losses, axis=1, ddof=1)) / runs
        half = NormalDist().inv_cdf(0.975) * np.sqrt(variance.sum()) / envs
        ends = np.clip([probability - half, probability + half], 0.0, 1.0)
        interval = IntervalEstimate(np.asarray(probability), *ends)
    else:
        rng = np.random.default_rng(BOOTSTRAP_SEED)
        interval = stratified_bootstrap(probability_of_improvement, *pairs, rng=rng)
    return Estimate.of(interval, runs, "bootstrap")


def _shares_below(samples: FloatArray, others: FloatArray) -> FloatArray:
    """Return (runs,) for each run the share of the other ones below it; equal ones count a half."""
    ordered = np.sort(others)
    ranks = [np.searchsorted(ordered, samples, side=side) for side in ("left", "right")]
    return np.asarray((ranks[0] + ranks[1]) / (2 * len(others)))


def normalised_rewards(table: Table, agent: str) -> tuple[list[str], FloatArray]:
    """Return environments and (runs, environments) rewards as fractions of the best one.

    The best one is the expected reward of the optimal policies of the phases. Environments where it
    is unknown or not positive, or without runs of the agent, are left out. With failed runs, those
    that are complete in all environments count.

    Raises:
        ValueError: for an unknown agent.
    """
    rows = runs_of(table, agent)
    envs = [
        env
        for env in distinct(rows, "environment")
        if (rows_where(rows, environment=env)["best"] > 0).all()
    ]
    if not envs:
        return [], np.zeros((0, 0))
    numbers = _complete(rows, envs)
    reward, best = (_matrix(rows, envs, name, numbers) for name in ("reward", "best"))
    return envs, reward / best


def interquartile_reward(table: Table, agent: str) -> Estimate:
    """Return the interquartile mean of the normalised rewards over all environments.

    Interval: bootstrap stratified by environment; n is the number of runs in each.

    Raises:
        ValueError: for an unknown agent, or where no best reward is known.
    """
    scores = _scores(table, agent)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    interval = stratified_bootstrap(interquartile_mean, scores, rng=rng)
    return Estimate.of(interval, len(scores), "bootstrap")


def profile(table: Table, agent: str, thresholds: npt.ArrayLike) -> IntervalEstimate:
    """Return the fractions (thresholds,) of the runs whose normalised reward is above a threshold.

    Raises:
        ValueError: for an unknown agent, or where no best reward is known.
    """
    return performance_profile_interval(_scores(table, agent), thresholds)


def recovery_curve(
    table: Table, phases: Table, agent: str, env: str, change: int = 1
) -> SurvivalCurve:
    """Return the Kaplan-Meier estimate of the share of runs that have not recovered.

    Args:
        table: of the runs.
        phases: of the environments.
        agent: its name.
        env: name of the environment.
        change: its number, from 1.

    Raises:
        ValueError: for an unknown name or change, or where the best reward is unknown.
    """
    checked_choice("env", env, distinct(table, "environment"))
    spans = rows_where(phases, environment=env)
    checked_integer("change", change, 1)
    if change >= len(spans["start"]):
        raise ValueError(
            f"change={change} in {env}; expected one of its {max(len(spans['start']) - 1, 0)}"
        )
    times = rows_where(runs_of(table, agent), environment=env)[f"recovery_{change}"]
    if np.isnan(times).any() or not len(times):
        raise ValueError(f"recovery of {agent!r} in {env} is unknown")
    return kaplan_meier(*censored_at(times, phase_length(spans, change)))


def phase_length(spans: Table, phase: int) -> float:
    """Return the steps of a phase of an environment, counted from 0."""
    return float(spans["end"][phase] - spans["start"][phase])


def runs_of(table: Table, agent: str) -> Table:
    """Return the rows of an agent.

    Raises:
        ValueError: for an unknown one; names the nearest.
    """
    return rows_where(table, agent=checked_choice("agent", agent, distinct(table, "agent")))


def _scores(table: Table, agent: str) -> FloatArray:
    scores = normalised_rewards(table, agent)[1]
    if not scores.size:
        raise ValueError(f"no environment of {agent!r} has a known and positive best reward")
    return scores


def _pairs(table: Table, first: str, second: str, quantity: str) -> list[FloatArray]:
    """Return (runs, environments) numbers of two agents, of the runs and environments of both.

    Raises:
        ValueError: for an unknown name, or if they have no run in common.
    """
    rows = [runs_of(table, name) for name in (first, second)]
    shared = distinct(rows[1], "environment")
    envs = [env for env in distinct(rows[0], "environment") if env in shared]
    first_runs, second_runs = (_complete(each, envs) for each in rows)
    both = np.intersect1d(first_runs, second_runs)
    if not len(both):
        raise ValueError(f"{first!r} and {second!r} have no run in common")
    return [_matrix(each, envs, quantity, both) for each in rows]


def _complete(rows: Table, envs: Sequence[str]) -> IntArray:
    """Return the numbers of the runs that are complete in all environments."""
    numbers: IntArray = rows["run"]
    for env in envs:
        numbers = np.intersect1d(numbers, rows_where(rows, environment=env)["run"])
    return numbers


def _matrix(rows: Table, envs: Sequence[str], quantity: str, numbers: IntArray) -> FloatArray:
    """Return (runs, envs) numbers of some runs."""
    each = [rows_where(rows, environment=env) for env in envs]
    return np.stack([own[quantity][np.isin(own["run"], numbers)] for own in each], axis=1)
