"""Statistics of scores over runs and tasks, paired differences, and times until recovery.

Scores are arrays (runs, tasks); a task is a maze or an environment (Agarwal et al. 2021, "Deep
reinforcement learning at the edge of the statistical precipice"). Estimates equal those of the
library rliable 1.2.0. Times are numbers of steps until a run has recovered from a change; those of
runs that have not are censored. Differences from the sources:

1. Each interval takes its random numbers from an explicit generator.
2. The band of a performance profile is that of proportions, not a bootstrap: it covers also where
   all or no runs are above a threshold.
3. The restricted mean has Student's quantile and an unbiased variance; for times without censoring
   before the horizon it is exactly Student's interval of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import (
    IntervalEstimate,
    mean_interval,
    proportion_interval,
    student_t_quantile,
)
from dynamaze.common.arrays import AnyArray, BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_integer, checked_number

Statistic = Callable[..., FloatArray]
"""Maps scores (..., runs, tasks), of one method or of several, to numbers (..., *shape)."""

# -- scores over runs and tasks ----------------------------------------------------------------


def mean_score(scores: npt.ArrayLike) -> FloatArray:
    """Return the mean of scores (..., runs, tasks), each task with the same weight."""
    return np.asarray(_scores(scores).mean(axis=-2).mean(axis=-1))


def median_score(scores: npt.ArrayLike) -> FloatArray:
    """Return the median over the tasks of the mean scores of the tasks (..., runs, tasks)."""
    return np.asarray(np.median(_scores(scores).mean(axis=-2), axis=-1))


def interquartile_mean(scores: npt.ArrayLike) -> FloatArray:
    """Return the mean of the middle half of all scores (..., runs, tasks)."""
    pooled = _pooled(_scores(scores))
    count = pooled.shape[-1]
    cut = int(0.25 * count)
    middle = np.sort(pooled, axis=-1)[..., cut : count - cut]  # faster than np.partition
    return np.asarray(middle.mean(axis=-1))


def optimality_gap(scores: npt.ArrayLike, target: float = 1.0) -> FloatArray:
    """Return by how much scores (..., runs, tasks) fail to reach a target, on average.

    Args:
        scores: normalised scores; those above the target count as the target.
        target: 1 stands for the optimum.
    """
    return np.asarray(target - _pooled(np.minimum(_scores(scores), target)).mean(axis=-1))


def performance_profile(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """Return the fractions (..., thresholds) of the scores that are above each threshold."""
    pooled = _pooled(_scores(scores))
    return np.stack(
        [(pooled > each).mean(axis=-1) for each in np.asarray(thresholds).ravel()], axis=-1
    )


def performance_profile_interval(
    scores: npt.ArrayLike, thresholds: npt.ArrayLike
) -> IntervalEstimate:
    """Return the performance profile and its pointwise 95% interval.

    The number of scores above a threshold varies less than a binomial one if its probability
    differs between tasks (Hoeffding 1956), so that the interval of proportions covers.

    Args:
        scores: (runs, tasks).
        thresholds: (thresholds,).
    """
    pooled = _pooled(_scores(scores))
    above = (pooled[:, None] > np.asarray(thresholds).ravel()).sum(axis=0)
    return proportion_interval(above, pooled.size)


def probability_of_improvement(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Return the probability that a run of one method has a higher score than one of another.

    It is the mean over the tasks of Mann and Whitney's statistic; an equal score counts a half.

    Args:
        first: (..., runs, tasks) scores of the method.
        second: (..., runs, tasks) those of the other one, on the same tasks.

    Raises:
        ValueError: if the numbers of tasks differ.
    """
    one, other = _scores(first), _scores(second)
    if one.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"scores of {one.shape[-1]} and {other.shape[-1]} tasks; expected the same tasks"
        )
    left, right = one[..., :, None, :], other[..., None, :, :]
    wins = (left > right).mean(axis=(-3, -2)) + 0.5 * (left == right).mean(axis=(-3, -2))
    return np.asarray(wins.mean(axis=-1))


def stratified_bootstrap(
    statistic: Statistic,
    *scores: npt.ArrayLike,
    rng: np.random.Generator,
    repetitions: int = 2000,
    confidence: float = 0.95,
) -> IntervalEstimate:
    """Return a statistic of scores and its percentile bootstrap interval, stratified by task.

    The runs of each task, and of each method, are drawn again with replacement on their own.

    Args:
        statistic: a function such as `interquartile_mean`.
        scores: (runs, tasks) of each method that the statistic compares.
        rng: draws the runs.
        repetitions: number of bootstrap samples.
        confidence: in (0, 1).

    Raises:
        ValueError: for scores of another shape, no repetition, or a confidence outside (0, 1).
    """
    methods = [_scores(each) for each in scores]
    for each in methods:
        if each.ndim != 2:
            raise ValueError(f"scores of shape {each.shape}; expected (runs, tasks)")
    checked_integer("repetitions", repetitions, 1)
    _checked_confidence(confidence)
    # So many repetitions at once that their pairs of runs fit into the processor's cache.
    size = max(each.size for each in methods) * (len(methods[0]) if len(methods) > 1 else 1)
    block = max(1, 1_000_000 // size)
    found = [
        statistic(*(_resampled(each, min(block, repetitions - done), rng) for each in methods))
        for done in range(0, repetitions, block)
    ]
    outside = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), [outside, 1 - outside], axis=0)
    return IntervalEstimate(np.asarray(statistic(*methods)), low, high)


def _resampled(scores: FloatArray, repetitions: int, rng: np.random.Generator) -> FloatArray:
    """Return (repetitions, runs, tasks) scores, drawn with replacement within each task."""
    runs, tasks = scores.shape
    chosen = rng.integers(runs, size=(repetitions, runs, tasks), dtype=np.int32)
    return scores[chosen, np.arange(tasks)]


def _scores(scores: npt.ArrayLike) -> FloatArray:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise ValueError(
            f"scores of shape {array.shape}; expected (runs, tasks), at least one of each"
        )
    return array


def _pooled(scores: FloatArray) -> FloatArray:
    return scores.reshape(*scores.shape[:-2], -1)


def _checked_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence={confidence}; expected a number in (0, 1)")


# -- paired differences ------------------------------------------------------------------------


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    mazes: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> IntervalEstimate:
    """Return the mean of paired differences and Student's interval.

    Args:
        first: (pairs, ...) results of a method, each for a maze and a seed.
        second: (pairs, ...) those of the other method, for the same mazes and seeds.
        mazes: (pairs,) the maze of each pair. Differences are averaged over the seeds of a maze,
            and the interval is that of the mean over mazes, of which these are a sample. Without
            it each pair counts on its own.
        confidence: in (0, 1).

    Raises:
        ValueError: if the pairs do not match, or there are fewer than 2 (mazes or pairs).
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"results of shapes {one.shape} and {other.shape}; expected pairs")
    difference = one - other
    if mazes is not None:
        labels = np.asarray(mazes)
        if labels.shape != difference.shape[:1]:
            raise ValueError(
                f"mazes of shape {labels.shape}; expected one for each of {len(difference)} pairs"
            )
        difference = np.stack(
            [difference[labels == each].mean(axis=0) for each in np.unique(labels)]
        )
    return mean_interval(difference, confidence)


def ratio_of_means(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95
) -> IntervalEstimate:
    """Return the ratio of two paired means and its interval.

    The ratio estimator, with the variance of its linearisation (Cochran 1977, "Sampling
    techniques", section 6.3) and Student's quantile. Where pairs share their difficulty, it is far
    narrower than intervals of the two means suggest.

    Args:
        first: (pairs,) results of a method.
        second: (pairs,) those of the other method; their mean is above 0.
        confidence: in (0, 1).

    Raises:
        ValueError: if the pairs do not match, there are fewer than 2, or the second mean is not
            above 0.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"results of shapes {one.shape} and {other.shape}; expected pairs")
    if not other.mean() > 0:
        raise ValueError(f"a mean of {other.mean():g} as denominator; expected one above 0")
    ratio = one.mean() / other.mean()
    # Cochran 1977, equation 6.9: the residuals y - R x, over the mean of x
    residual = mean_interval((one - ratio * other) / other.mean(), confidence)
    return IntervalEstimate(*(np.asarray(ratio + part - residual.mean) for part in residual))


def match_pairs(
    first: AnyArray | npt.ArrayLike, second: AnyArray | npt.ArrayLike
) -> tuple[IntArray, IntArray]:
    """Return the rows of two tables that have the same keys, in the order of the first one.

    Args:
        first: (rows,) or (rows, columns) keys of a table: the seed, or the maze and the seed.
        second: those of the other table.

    Returns:
        The rows of both; keys that only one of them has are left out.

    Raises:
        ValueError: if a key is there twice, or no key is in both.
    """
    tables = []
    for keys in (first, second):
        rows = [tuple(np.atleast_1d(key).tolist()) for key in np.asarray(keys)]
        table = {key: row for row, key in enumerate(rows)}
        if len(table) < len(rows):
            twice = next(key for row, key in enumerate(rows) if table[key] != row)
            raise ValueError(f"key {twice} is there twice; expected different keys")
        tables.append(table)
    shared = [key for key in tables[0] if key in tables[1]]
    if not shared:
        raise ValueError("no key is in both tables; expected the same mazes and seeds")
    one, other = (np.array([table[key] for key in shared], dtype=np.int64) for table in tables)
    return one, other


# -- times until recovery ----------------------------------------------------------------------


class SurvivalCurve(NamedTuple):
    """Kaplan-Meier estimate: a step function that changes at the times of events."""

    time: FloatArray  # (points,) 0, then the times of events
    at_risk: IntArray  # (points,) runs without an event and not censored before
    events: IntArray  # (points,)
    survival: FloatArray  # (points,) fraction without an event until and at this time
    low: FloatArray  # (points,) of the 95% interval
    high: FloatArray  # (points,)

    def at(self, times: npt.ArrayLike) -> IntervalEstimate:
        """Return the fraction without an event at some times, and its interval."""
        points = np.searchsorted(self.time, np.asarray(times, dtype=np.float64), side="right") - 1
        if (points < 0).any():
            raise ValueError("a negative time; expected times of at least 0")
        return IntervalEstimate(self.survival[points], self.low[points], self.high[points])


def censored_at(times: npt.ArrayLike, horizon: float) -> tuple[FloatArray, BoolArray]:
    """Return times that are known up to a horizon, and whether each one is an event.

    Args:
        times: (runs,) until the event; infinite or NaN if there was none.
        horizon: the length of the runs.
    """
    given = np.asarray(times, dtype=np.float64)
    observed = given <= horizon
    return np.where(observed, given, horizon), observed


def kaplan_meier(
    times: npt.ArrayLike, observed: npt.ArrayLike, confidence: float = 0.95
) -> SurvivalCurve:
    """Return the Kaplan-Meier estimate, with Greenwood's variance on the log-log scale.

    Where no run or every run had its event, this variance does not exist, and the interval is that
    of a proportion of the runs that were not censored before.

    Args:
        times: (runs,) until the event or until the run was censored; at least 0.
        observed: (runs,) whether it is the time of an event.
        confidence: in (0, 1).

    Raises:
        ValueError: for no run, a negative or unknown time, or arrays of different shapes.
    """
    when, event = _checked_times(times, observed)
    _checked_confidence(confidence)
    runs = when.size
    moments = np.concatenate([[0.0], np.unique(when[event & (when > 0)])])
    at_risk, events = _counts(when, event, moments)
    survival = np.asarray(np.cumprod(1 - events / at_risk), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Greenwood (1926); Kalbfleisch and Prentice (2002), equations 1.13 and 1.14
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        spread = _normal_quantile(confidence) * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(spread), survival ** np.exp(-spread)
    followed = runs - np.searchsorted(np.sort(when[~event]), moments)
    for point in np.flatnonzero((survival == 0) | (survival == 1)):
        count = int(followed[point])
        ends = proportion_interval(int(survival[point]) * count, count)
        low[point], high[point] = ends.low[0], ends.high[0]
    return SurvivalCurve(moments, at_risk, events, survival, low, high)


def restricted_mean(
    times: npt.ArrayLike, observed: npt.ArrayLike, horizon: float, confidence: float = 0.95
) -> IntervalEstimate:
    """Return the mean time until the event, of which at most the horizon counts.

    It is the area below the Kaplan-Meier estimate (Royston and Parmar 2013), and exists also where
    many runs have no event, whereas the mean does not.

    Args:
        times: (runs,) until the event or until the run was censored.
        observed: (runs,) whether it is the time of an event.
        horizon: positive; no run without an event may be censored before.
        confidence: in (0, 1).

    Raises:
        ValueError: for fewer than 2 runs, or if the curve is unknown before the horizon.
    """
    when, event = _checked_times(times, observed)
    _checked_confidence(confidence)
    checked_number("horizon", horizon, 0, above=True)
    if when.size < 2:
        raise ValueError(f"{when.size} runs; expected at least 2 for an interval")
    if when.max() < horizon and not event[when == when.max()].all():
        raise ValueError(
            f"horizon={horizon}; expected at most {when.max():g}, where the last run was censored"
        )
    curve = kaplan_meier(when, event)
    inside = curve.time < horizon
    ends = np.append(curve.time[inside], horizon)
    areas = np.diff(ends) * curve.survival[inside]
    mean = areas.sum()
    # The area behind each event, whose square is weighted by Greenwood's term.
    behind = np.cumsum(areas[::-1])[::-1]
    at_risk, events = curve.at_risk[inside], curve.events[inside]
    left = at_risk - events
    terms = np.where(left > 0, behind**2 * events / (at_risk * np.maximum(left, 1)), 0.0)
    variance = terms.sum() * when.size / (when.size - 1)
    half = student_t_quantile(0.5 + confidence / 2, when.size - 1) * math.sqrt(variance)
    return IntervalEstimate(
        np.asarray(mean), np.asarray(max(mean - half, 0.0)), np.asarray(min(mean + half, horizon))
    )


def fraction_recovered(times: npt.ArrayLike, horizon: float) -> IntervalEstimate:
    """Return the fraction of the runs with an event until a horizon, and its 95% interval.

    Args:
        times: (runs,) until the event; infinite or NaN for runs without. All runs lasted until the
            horizon; else use `kaplan_meier`.
        horizon: number of steps.
    """
    observed = censored_at(times, horizon)[1]
    return proportion_interval(int(observed.sum()), observed.size)


def log_rank(
    first: tuple[npt.ArrayLike, npt.ArrayLike], second: tuple[npt.ArrayLike, npt.ArrayLike]
) -> float:
    """Return the p-value of the log-rank test that two methods recover equally fast (Mantel 1966).

    Args:
        first: times and whether each is an event, as of `kaplan_meier`, of a method.
        second: those of the other method.

    Raises:
        ValueError: for no run, a negative or unknown time, or arrays of different shapes.
    """
    (one, one_event), (other, other_event) = (_checked_times(*each) for each in (first, second))
    when, event = np.concatenate([one, other]), np.concatenate([one_event, other_event])
    moments = np.unique(when[event])
    at_risk, events = _counts(when, event, moments)
    own_risk, own = _counts(one, one_event, moments)
    share = own_risk / at_risk
    excess = (own - events * share).sum()
    # The variance of a hypergeometric number; 0 where a single run is left.
    variances = events * share * (1 - share) * (at_risk - events) / np.maximum(at_risk - 1, 1)
    if variances.sum() == 0:
        return 1.0
    return math.erfc(math.sqrt(excess**2 / variances.sum() / 2))


def _counts(when: FloatArray, event: BoolArray, moments: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the runs at risk and the events at each of some moments."""
    at_risk = when.size - np.searchsorted(np.sort(when), moments)
    happened = np.sort(when[event])
    events = np.searchsorted(happened, moments, side="right") - np.searchsorted(happened, moments)
    return at_risk, events


def _checked_times(times: npt.ArrayLike, observed: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    when, event = np.asarray(times, dtype=np.float64), np.asarray(observed, dtype=np.bool_)
    if when.shape != event.shape or when.ndim != 1 or not when.size:
        raise ValueError(
            f"times of shape {when.shape}, observed of shape {event.shape}; expected (runs,), at "
            "least 1 run"
        )
    if not ((when >= 0) & np.isfinite(when)).all():
        wrong = when[~((when >= 0) & np.isfinite(when))][0]
        raise ValueError(f"time {wrong:g}; expected numbers of at least 0 (see `censored_at`)")
    return when, event


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
