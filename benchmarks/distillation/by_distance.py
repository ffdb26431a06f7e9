"""Tables of success rates by distance to the goal, of experiments with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dynamaze.benchmarks.harness.analysis.summaries import mean_share_text
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, distinct, rows_where
from dynamaze.distill.core.distances import DistanceRange, distance_lines

RANGE_COLUMNS = ("nearest", "furthest", "cells", "weight")
"""Columns of a range of distances, beside `success`: see `DistanceRange`."""


def result_rows(
    about: Mapping[str, Any], measures: Mapping[str, float], ranges: Sequence[DistanceRange]
) -> list[dict[str, Any]]:
    """Return the row of a result and one for each range of distances, with the same columns.

    Args:
        about: columns that all of these rows have, such as the run.
        measures: those of the result alone, of which `success` is also that of a range.
        ranges: success rates by distance.
    """
    rows = [{**about, **dict.fromkeys(RANGE_COLUMNS, np.nan), **measures}]
    for each in ranges:
        own = {name: getattr(each, name) for name in (*RANGE_COLUMNS, "success")}
        rows.append({**about, **dict.fromkeys(measures, np.nan), **own})
    return rows


def split_ranges(table: Table) -> tuple[Table, Table]:
    """Return the results of a table of `result_rows`, and its ranges of distances."""
    is_range = np.isfinite(table["nearest"])
    results = {name: own[~is_range] for name, own in table.items() if name not in RANGE_COLUMNS}
    ranges = {
        name: own[is_range]
        for name, own in table.items()
        if own.dtype.kind != "f" or np.isfinite(own[is_range]).all()
    }
    ends = {name: ranges[name].astype(np.int64) for name in ("nearest", "furthest")}
    return results, {**ranges, **ends}


def distance_sections(table: Table | None, policy: str, mazes: str = "mazes") -> dict[str, Lines]:
    """Return a section for each kind of mazes: success rates by distance, a line for each policy.

    Args:
        table: ranges of distances of several runs; None for results of version 0.1, which have
            none.
        policy: column of the policies' names.
        mazes: column of the kinds of mazes, or of other settings, each with a section.
    """
    sections: dict[str, Lines] = {}
    if table is None:
        return sections
    for kind in distinct(table, mazes):
        own = rows_where(table, **{mazes: kind})
        nearest = np.unique(own["nearest"]).tolist()
        columns = [rows_where(own, nearest=first) for first in nearest]
        ranges = [_mean_range(column) for column in columns]
        rates = {
            str(name): [_rate(rows_where(column, **{policy: name})) for column in columns]
            for name in distinct(own, policy)
        }
        label = kind if mazes == "mazes" else f"{kind} {mazes}"
        title = f"Success rate by distance to the goal, {label}"
        sections[title] = distance_lines(ranges, rates)
    return sections


def _mean_range(rows: Table) -> DistanceRange:
    """Return a range with its mean fractions of cells and return over the runs."""
    return DistanceRange(
        nearest=int(rows["nearest"][0]),
        furthest=int(rows["furthest"][0]),
        cells=float(rows["cells"].mean()),
        weight=float(rows["weight"].mean()),
        success=np.nan,
        low=np.nan,
        high=np.nan,
        mazes=0,
    )


def _rate(rows: Table) -> str:
    return mean_share_text(rows["success"], kind="time") if rows["success"].size else "-"
