"""Experiments of distillation methods: paired comparisons of arms, and verdicts from the numbers.

An experiment shows what a method is for, or that it gives nothing. It has a trial, which runs all
arms (the method, its baselines and controls) for one seed, on the same data and from the same
initial weights. So arms are compared by the paired differences of their seeds, and each comparison
gets a verdict from the 95% interval of their mean:

- helps: the interval is above 0 (and "less than demanded" if the mean is below the demand);
- harms: it is below 0;
- null: it contains 0.

Where a null is claimed, it also says whether the arm is non-inferior: the interval is above a
negative margin. An interval that contains 0 alone shows nothing, as too few seeds give one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.benchmarks.harness.analysis.statistics import paired_difference
from dynamaze.benchmarks.harness.analysis.table import Table, from_rows, rows_where
from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_choice, checked_number

RETURN = "return"
"""Measure: normalised return on unseen levels, in percent."""

HELPS, NULL = "helps", "null"

Arms = dict[str, dict[str, float]]
"""Arm -> measure -> value, of one seed; of every measure a larger value is better, as a rule."""


@dataclass(frozen=True)
class Comparison:
    """Claim on the paired gain of one arm over another.

    Raises:
        ValueError: for another claim, or a demand of the wrong sign.
    """

    arm: str
    baseline: str
    demand: float
    """Least mean gain that is demanded, in points; for a null the margin of non-inferiority: a
    number of at most 0, above which the whole interval must be."""
    claim: str = HELPS
    """`HELPS` or `NULL`."""
    measure: str = RETURN
    """Of this measure a larger value is better."""

    def __post_init__(self) -> None:
        checked_choice("claim", self.claim, (HELPS, NULL))
        is_null = self.claim == NULL
        checked_number("demand", self.demand, *((-np.inf, 0) if is_null else (0, np.inf)))


@dataclass(frozen=True)
class MethodExperiment:
    """Experiment of a method."""

    name: str
    method: str
    """Name in `METHODS`."""
    setting: str
    """One or two sentences: task, data, students, steps, evaluation."""
    trial: Callable[..., Arms]
    """Function of a module that runs all arms for one seed: `trial(seed)`."""
    comparisons: tuple[Comparison, ...]
    runs: int
    """Seeds, at least 8."""
    lesson: str
    """One sentence: what a reader should learn."""
    columns: tuple[str, ...] = (RETURN,)
    """Measures that the summary shows."""
    timed: tuple[str, ...] = ()
    """Measures that depend on the machine's speed; all others are the same in each run."""
    testing: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `trial` with which it takes less than a second, for tests."""


def arm_table(name: str, seed: int, arms: Arms) -> Table:
    """Return the results of a trial as a table: experiment, arm, run, measure, value.

    Raises:
        ValueError: for no arms, or a value that is not finite.
    """
    rows: list[dict[str, Any]] = [
        {"experiment": name, "arm": arm, "run": seed, "measure": measure, "value": float(value)}
        for arm, measures in arms.items()
        for measure, value in measures.items()
    ]
    if not rows:
        raise ValueError(f"a trial of {name} without results; expected arms with measures")
    for row in rows:
        if not np.isfinite(row["value"]):
            raise ValueError(
                f"{row['measure']} of {row['arm']!r} in {name}, seed {seed}, is {row['value']}; "
                "expected a finite number"
            )
    return from_rows(rows)


def values_of(rows: Table, arm: str, measure: str) -> FloatArray:
    """Return a measure of an arm, (runs,), in the order of the runs; empty where it has none."""
    own = rows_where(rows, arm=arm, measure=measure)
    return own["value"][np.argsort(own["run"])].astype(np.float64)


def paired_gain(rows: Table, comparison: Comparison) -> tuple[FloatArray, IntervalEstimate]:
    """Return the differences of a comparison, (runs,), and their mean with its 95% interval.

    Args:
        rows: of one experiment.
        comparison: the comparison.

    Raises:
        ValueError: if an arm does not have the measure, or there are fewer than 2 runs.
    """
    arms = (comparison.arm, comparison.baseline)
    one, other = (values_of(rows, arm, comparison.measure) for arm in arms)
    for arm, values in zip(arms, (one, other), strict=True):
        if not values.size:
            known = sorted(set(rows["arm"].tolist()))
            raise ValueError(
                f"no {comparison.measure} of an arm {arm!r}; expected an arm of {known}"
            )
    return one - other, paired_difference(one, other)


def verdict(gain: IntervalEstimate, comparison: Comparison) -> str:
    """Return the verdict on a paired gain; see the module."""
    mean, low, high = (float(part) for part in gain)
    if low > 0:
        met = comparison.claim == NULL or mean >= comparison.demand
        return HELPS if met else "helps, less than demanded"
    found = "harms" if high < 0 else NULL
    if comparison.claim == HELPS:
        return found
    return f"{found}, {'' if low >= comparison.demand else 'not '}non-inferior"


def is_met(gain: IntervalEstimate, comparison: Comparison) -> bool:
    """Return whether a paired gain is as demanded."""
    mean, low, _ = (float(part) for part in gain)
    if comparison.claim == NULL:
        return low >= comparison.demand
    return low > 0 and mean >= comparison.demand


def demand_text(comparison: Comparison) -> str:
    """Return what is demanded: "mean >= +40", or "low end >= -1"."""
    of = "low end" if comparison.claim == NULL else "mean"
    return f"{of} >= {comparison.demand:+g}"
