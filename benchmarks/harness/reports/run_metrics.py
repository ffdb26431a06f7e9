"""Metrics of stored runs: one number for each run and metric, from tables of any form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.intervals import UNKNOWN_KIND
from dynamaze.benchmarks.harness.analysis.summaries import mean_text
from dynamaze.benchmarks.harness.analysis.table import Lines
from dynamaze.benchmarks.harness.store.database import Store, StoredGroup
from dynamaze.common.arrays import FloatArray

NO_METRICS = ("run",)
"""Columns of runs' tables that are no results."""


class RunMetrics(NamedTuple):
    """Metrics of the completed runs of a group."""

    numbers: np.ndarray[Any, Any]  # (runs,)
    values: dict[str, FloatArray]  # (runs,), NaN where a run has no such number
    contents: np.ndarray[Any, Any]  # (runs,): hash of each table, valid in this process


def run_metrics(store: Store, group_id: int) -> RunMetrics:
    """Return the numbers of each run: its single values, and the means of columns of several rows.

    Args:
        store: the store.
        group_id: the group.

    Returns:
        The metrics; text has none. A column of several rows is called "mean of NAME".

    Raises:
        StoreError: for a damaged run.
    """
    numbers, contents = [], []
    parts: dict[str, list[tuple[int, FloatArray]]] = {}
    count = 0
    for chunk in store.chunks(group_id):
        for name, column in chunk.columns.items():
            if column.dtype.kind in "biuf" and column.size and name not in NO_METRICS:
                single = column.shape[1:] == (1,)
                values = column.reshape(len(column), -1).astype(np.float64)
                values = values[:, 0] if single else values.mean(axis=1)
                parts.setdefault(name if single else f"mean of {name}", []).append((count, values))
        numbers.append(chunk.numbers)
        contents += [hash(encoded) for encoded in chunk.encoded]
        count += len(chunk.numbers)
    metrics = {}
    for name, own in parts.items():
        metrics[name] = np.full(count, np.nan)
        for start, values in own:
            metrics[name][start : start + len(values)] = values
    if not numbers:
        return RunMetrics(np.empty(0, np.int64), {}, np.empty(0, np.int64))
    return RunMetrics(np.concatenate(numbers), metrics, np.array(contents))


def metric_lines(store: Store, groups: Sequence[StoredGroup]) -> Lines:
    """Return a line for each group and metric: the mean over the runs, its interval and n.

    Raises:
        StoreError: for a damaged run.
    """
    lines: Lines = [("setting", "environment", "metric", "mean [95% interval]", "n")]
    for stored in groups:
        for name, values in run_metrics(store, stored.id).values.items():
            known = values[np.isfinite(values)]
            lines.append(
                (
                    stored.group.label,
                    stored.group.environment,
                    name,
                    mean_text(known, None, kind=UNKNOWN_KIND) if len(known) else "no finite number",
                    finite_count_text(len(known), len(values)),
                )
            )
    return lines


def finite_count_text(known: int, runs: int) -> str:
    """Return the number of runs in a mean, and of those without a finite number."""
    return str(known) if known == runs else f"{known} ({runs - known} not finite)"
