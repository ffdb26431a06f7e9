"""What pictures and summaries of curves with intervals share."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .statistics import Interval, written
from .table import Table


def columns_of(what: str, interval: Interval) -> Table:
    """The columns `what`_mean, `what`_low and `what`_high."""
    return {f"{what}_{part}": np.asarray(getattr(interval, part)) for part in Interval._fields}


def draw_curve(axes: Axes, x: str, table: Table, what: str, **style: Any) -> None:
    """Draw `what`_mean over a column, and its interval as a band.

    Args:
        axes: where.
        x: the column along.
        table: with the columns of `columns_of`.
        what: the name of the number.
        style: of the line.
    """
    (line,) = axes.plot(table[x], table[f"{what}_mean"], **style)
    axes.fill_between(
        table[x],
        table[f"{what}_low"],
        table[f"{what}_high"],
        color=line.get_color(),
        alpha=0.3,
        linewidth=0,
    )


def interval_text(table: Table, what: str, row: int, digits: int = 2) -> str:
    """A mean and its interval, for a summary."""
    interval = Interval(*(table[f"{what}_{part}"][row] for part in Interval._fields))
    return written(interval, digits)
