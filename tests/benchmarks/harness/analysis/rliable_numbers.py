"""Write rliable_numbers.json: estimates and intervals by rliable 1.2.0 of fixed scores.

rliable is no dependency of the tests. Its numbers were made in an environment of its own (with
pandas 3 it cannot be imported):

    python -m venv rliable && rliable/bin/pip install rliable==1.2.0 "pandas<3"
    rliable/bin/python tests/benchmarks/harness/rliable_numbers.py

rliable ignores its argument `random_state` and draws from NumPy's global generator, which is
therefore seeded here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_name("rliable_numbers.json")
RUNS, TASKS, REPETITIONS = 30, 12, 20_000
THRESHOLDS = np.linspace(0, 1.5, 16)


def example_scores() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return (runs, tasks) scores of two methods: skewed, partly above 1, with equal ones."""
    rng = np.random.default_rng(0)
    first, second = (1.5 * rng.random((RUNS, TASKS)) ** power for power in (1.5, 2.0))
    return first.round(2), second.round(2)


def main() -> None:
    """Compute the numbers and write them."""
    from rliable import library, metrics  # type: ignore[import-not-found]  # see above

    first, second = example_scores()
    aggregates = {
        "interquartile_mean": metrics.aggregate_iqm,
        "median_score": metrics.aggregate_median,
        "mean_score": metrics.aggregate_mean,
        "optimality_gap": metrics.aggregate_optimality_gap,
    }
    numbers: dict[str, Any] = {}
    for name, function in aggregates.items():
        numbers[name] = _interval(library, {"first": first}, function)
    numbers["probability_of_improvement"] = _interval(
        library, {"pair": (first, second)}, metrics.probability_of_improvement
    )
    numbers["performance_profile"] = _profile(library, first)
    PATH.write_text(json.dumps(numbers, indent=1) + "\n")


def _interval(library: Any, scores: dict[str, Any], function: Any) -> dict[str, Any]:
    np.random.seed(0)  # noqa: NPY002, TID251  # rliable draws from the global generator
    points, intervals = library.get_interval_estimates(
        scores, lambda *each: np.array([function(*each)]), reps=REPETITIONS
    )
    (name,) = scores
    low, high = intervals[name].ravel()
    return {"mean": float(points[name][0]), "low": float(low), "high": float(high)}


def _profile(library: Any, scores: np.ndarray[Any, Any]) -> dict[str, Any]:
    points, _ = library.create_performance_profile({"first": scores}, THRESHOLDS, reps=10)
    return {"mean": [float(each) for each in points["first"]]}


if __name__ == "__main__":
    main()
