"""Style of all plots: labels, colours and markers by name, panels, intervals as bands and bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class MethodStyle(NamedTuple):
    """Label, colour and marker of an agent or planner."""

    label: str
    colour: str
    marker: str = ""


METHODS = {
    "q_learning": MethodStyle("Q-learning", "tab:brown"),
    "DynaQ": MethodStyle("Dyna-Q", "tab:red"),
    "DynaQPlus": MethodStyle("Dyna-Q+", "tab:blue"),
    "uniform": MethodStyle("Dyna-Q", "tab:red", "o"),
    "prioritised_sweeping": MethodStyle("prioritised sweeping", "tab:blue", "s"),
    "trajectory_sampling": MethodStyle("trajectory sampling", "tab:orange", "v"),
    "dynamic_programming": MethodStyle("dynamic programming", "tab:green", "^"),
    "forward": MethodStyle("forward search", "black", "o"),
    "sparse": MethodStyle("sparse sampling", "tab:olive", "s"),
    "monte_carlo": MethodStyle("Monte-Carlo search", "tab:orange", "v"),
    "tree": MethodStyle("tree search (UCT)", "tab:green", "^"),
    "td": MethodStyle("TD search", "tab:purple", "D"),
    "dyna_2": MethodStyle("Dyna-2", "tab:pink", "X"),
}
"""Agents and planners by their names in the stored tables."""

COLOURS = {
    **{name: style.colour for name, style in METHODS.items()},
    # without a search (equal_budgets)
    "chance": "grey",
    # exploration bonus (exercise_8_4)
    "none": "tab:red",
    "planning": "tab:blue",
    "action": "tab:green",
    # numbers of successors (figure_8_8)
    "b = 1": "tab:blue",
    "b = 3": "tab:orange",
    "b = 10": "tab:green",
    # methods of model_confidence
    "Dyna-Q": "tab:red",
    "Dyna-Q+": "tab:blue",
    "Scored": "tab:brown",
    "Uncertainty": "tab:grey",
    "Scored + uncertainty": "tab:green",
    # families of models (model_comparison)
    "table": "tab:blue",
    "linear": "tab:green",
    "learned": "tab:orange",
    # algorithms and methods of Stable-Baselines3
    "PPO": "tab:blue",
    "SAC": "tab:orange",
    "model-free": "tab:red",
    "learned model": "tab:blue",
    "true environment": "tab:grey",
    # linear Dyna (linear_dyna, mountain_car)
    "TD": "tab:brown",
    "Q-learning": "tab:brown",
    "TD on the model": "tab:purple",
    "Dyna, states seen": "tab:orange",
    "Dyna, random": "tab:red",
    "Dyna, PWMA": "tab:blue",
    "Dyna, MG": "tab:green",
    "Dyna, MG by pops": "tab:olive",
    # initial weights (deep_belief)
    "random weights": "tab:red",
    "pre-trained on the same inputs": "tab:orange",
    "pre-trained, also on unlabelled inputs": "tab:green",
    # losses (soft_labels)
    "hard labels": "black",
    "KL, temperature 1": "tab:blue",
    "KL, temperature 2": "tab:orange",
    "KL, temperature 4": "tab:green",
    "centred logits": "tab:purple",
    # sizes in training (transformer)
    "7x7 alone": "tab:orange",
    "7x7 to 11x11": "tab:blue",
    # adaptive or not (loca)
    "yes": "tab:green",
    "no": "tab:red",
    "undecided": "tab:grey",
    # groups of students and baselines (frontier)
    "VIN": "tab:blue",
    "convolutional": "tab:orange",
    "MLP": "tab:green",
    "fitted table": "tab:brown",
    "policy gradient": "tab:red",
    "teacher": "black",
    "pruned": "tab:cyan",
    "exact planner, initial map": "tab:purple",
}
"""Colours by name; names of different studies may share one."""

REFERENCE: dict[str, Any] = {"color": "grey", "linestyle": ":"}
"""Style of lines of exact and ideal values."""

EVENT: dict[str, Any] = {"color": "grey", "linewidth": 0.8}
"""Style of the vertical line of a change, and of axes."""

BAND: dict[str, Any] = {"alpha": 0.25, "linewidth": 0}
"""Style of intervals as bands."""


def empty_figure(size: tuple[float, float]) -> Figure:
    """Return a figure without panels.

    Args:
        size: width and height in inches.

    Raises:
        MissingLibraryError: (an ImportError) if Matplotlib is missing.
    """
    module = optional_import("matplotlib.figure", purpose="a plot")
    figure: Figure = module.Figure(figsize=size, layout="constrained")
    return figure


def panels(
    rows: int = 1, cols: int = 1, *, size: tuple[float, float] = (7, 4.5), **grid: Any
) -> tuple[Figure, Any]:
    """Return a figure and its panels, an array of (rows, cols) axes.

    Args:
        rows: number of rows.
        cols: number of columns.
        size: width and height in inches.
        grid: further arguments of `Figure.subplots`.
    """
    figure = empty_figure(size)
    return figure, figure.subplots(rows, cols, squeeze=False, **grid)


def line_with_band(axes: Axes, x: Any, interval: IntervalEstimate, **style: Any) -> str:
    """Draw a line of means with their intervals as a band, and return its colour.

    Args:
        axes: of the plot.
        x: (points,) places.
        interval: of (points,) numbers.
        style: of the line.
    """
    from matplotlib.colors import to_hex

    (line,) = axes.plot(x, interval.mean, **style)
    colour = to_hex(line.get_color())
    axes.fill_between(x, interval.low, interval.high, color=colour, **BAND)
    return colour


def points_with_bars(
    axes: Axes, x: Any, interval: IntervalEstimate, *, horizontal: bool = False, **style: Any
) -> None:
    """Draw means as points, with their intervals as bars.

    Args:
        axes: of the plot.
        x: one place, or (points,) places.
        interval: of one number or of (points,) numbers.
        horizontal: whether x is the vertical place, and the bars are horizontal.
        style: of the points.
    """
    mean, low, high = (np.atleast_1d(part) for part in interval)
    # Rounding must not turn a bar round.
    bars = np.maximum([mean - low, high - mean], 0)
    places = np.atleast_1d(x)
    style = {"capsize": 3, **style}
    if horizontal:
        axes.errorbar(mean, places, xerr=bars, **style)
    else:
        axes.errorbar(places, mean, yerr=bars, **style)


def points_of_runs(axes: Axes, at: int, samples: FloatArray, **style: Any) -> None:
    """Draw a point for each run beside one place of the horizontal axis."""
    spread = at + np.linspace(-0.2, 0.2, len(samples))
    axes.plot(spread, samples, ".", color="silver", zorder=0, **style)


def number_ticks(axes: Axes, numbers: npt.ArrayLike) -> None:
    """Mark these numbers, and no others, on a logarithmic horizontal axis."""
    values = np.asarray(numbers)
    axes.set_xticks(values, labels=[f"{number:g}" for number in values.tolist()])
    axes.minorticks_off()


def legend_below(figure: Figure, axes: Axes, cols: int) -> None:
    """Draw the legend of one panel below all panels."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=cols, frameon=False
    )
